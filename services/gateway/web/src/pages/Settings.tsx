import { PageHead } from "../shell/PageHead";
import { About, Pools } from "./settings/About";
import { Appearance } from "./settings/Appearance";
import { Catalog } from "./settings/Catalog";
import { Downloads } from "./settings/Downloads";
import { Featured, Tour } from "./settings/Guidance";
import { For } from "./settings/parts";
import { Tokens } from "./settings/Tokens";
import "./settings/settings.css";

/** What a person can choose, by whom it concerns: this browser, himself everywhere, everybody. */
export default function Settings() {
  return (
    <>
      <PageHead title="Settings" about="What you choose here, and for whom it holds." />
      <div className="settings">
        <div>
          <For whom="browser">
            <Appearance />
            <Tour />
          </For>
          <For whom="you">
            <Featured />
            <Tokens />
          </For>
        </div>
        <For whom="everybody">
          <Downloads />
          <Catalog />
          <Pools />
          <About />
        </For>
      </div>
    </>
  );
}
