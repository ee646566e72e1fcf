import type { ReactNode } from "react";

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

/** What the server said against it, where it was asked for. */
export function Refusal({ error }: { error: Error | null | undefined }) {
  return (
    <p className="reason" role="alert">
      {error?.message}
    </p>
  );
}
