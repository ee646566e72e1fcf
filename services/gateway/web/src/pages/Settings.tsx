import { PageHead } from "../shell/PageHead";
import { About, Pools } from "./settings/About";
import { Appearance } from "./settings/Appearance";
import { Catalog } from "./settings/Catalog";
import { Downloads } from "./settings/Downloads";
import { Guidance } from "./settings/Guidance";
import { Tokens } from "./settings/Tokens";
import "./settings/settings.css";

/** What a person can choose: for this browser, for himself everywhere, and for the pool. */
export default function Settings() {
  return (
    <>
      <PageHead title="Settings" about="For this browser, for you, and for the pool that you see." />
      <div className="settings">
        <div>
          <Appearance />
          <Guidance />
          <Downloads />
          <Catalog />
        </div>
        <div>
          <Tokens />
          <Pools />
          <About />
        </div>
      </div>
    </>
  );
}
