import { choose, SCHEMES, useScheme, type Scheme } from "../../theme";
import { useShortcutSwitch } from "../../shell/shortcuts";
import { Section } from "../../ui";
import { Option } from "./parts";

const WORDS: Record<Scheme, readonly [string, string]> = {
  auto: ["Auto", "As this device has it."],
  light: ["Light", "Dark text on light ground."],
  dark: ["Dark", "Light text on dark ground."],
};

/** What is remembered in this browser only. */
export function Appearance() {
  const [scheme] = useScheme();
  const [keys, setKeys] = useShortcutSwitch();
  return (
    <Section id="appearance" title="Appearance">
      <fieldset className="options three">
        <legend className="sr">Colours</legend>
        {SCHEMES.map((key) => (
          <Option key={key} type="radio" name="scheme" checked={scheme === key} onChange={() => choose(key)} label={WORDS[key][0]} about={WORDS[key][1]} />
        ))}
      </fieldset>
      <Option type="checkbox" checked={keys} onChange={setKeys} label="Keyboard shortcuts" about="Press ? for the list. Switch them off if you speak to your computer." />
    </Section>
  );
}
