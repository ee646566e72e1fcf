import { useRef, useState, type ReactNode } from "react";

interface OptionProps {
  type: "radio" | "checkbox";
  name?: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
  label: string;
  about?: ReactNode;
}

/** A choice with a line of explanation; all of it can be pressed. */
export function Option({ type, name, checked, disabled, onChange, label, about }: OptionProps) {
  return (
    <label className="option">
      <input type={type} name={name} checked={checked} disabled={disabled} onChange={(event) => onChange(event.target.checked)} />
      <span>
        {label}
        {about && <small>{about}</small>}
      </span>
    </label>
  );
}

/** What was asked for is shown from the press until the last save of it is answered; then what the server has. */
export function useWanted<T>(kept: T, save: (value: T) => Promise<unknown>): [T, (value: T) => void] {
  const [wanted, setWanted] = useState<{ value: T }>();
  const saves = useRef(0);
  const ask = (value: T) => {
    setWanted({ value });
    saves.current += 1;
    const mine = saves.current;
    // A moment later: what the answer brought is rendered by then.
    const settled = () => setTimeout(() => saves.current === mine && setWanted(undefined));
    void save(value).then(settled, settled);
  };
  return [wanted ? wanted.value : kept, ask];
}

type SwitchProps = Omit<OptionProps, "type" | "name" | "onChange"> & { onSave: (checked: boolean) => Promise<unknown> };

/** An option that the server keeps. */
export function Switch({ checked, onSave, ...option }: SwitchProps) {
  const [shown, ask] = useWanted(checked, onSave);
  return <Option type="checkbox" checked={shown} onChange={ask} {...option} />;
}

const WHOM = {
  browser: ["In this browser", "Kept here; your other browsers have their own."],
  you: ["For you", "In every browser in which you sign in."],
  everybody: ["For everybody", "All who use this pool have the same."],
} as const;

/** Settings by whom they concern. */
export function For({ whom, children }: { whom: keyof typeof WHOM; children: ReactNode }) {
  const [title, about] = WHOM[whom];
  return (
    <div className="for" role="group" aria-label={title}>
      <p className="whom">
        <strong>{title}</strong> <span className="muted">{about}</span>
      </p>
      {children}
    </div>
  );
}

/** What the server said against it, where it was asked for. */
export function Refusal({ error }: { error: Error | null | undefined }) {
  return (
    <p className="reason" role="alert">
      {error?.message}
    </p>
  );
}
