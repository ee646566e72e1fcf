import { useId, type ReactNode } from "react";
import { Icon } from "../icons";
import "./filters.css";

/** The controls above a list, as a landmark of their own. */
export function Filters({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="filters" role="search" aria-label={label}>
      {children}
    </div>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

export function SearchField({ id, label, value, onChange }: FieldProps & { id?: string }) {
  return (
    <label className="search">
      <Icon name="search" />
      <span className="sr">{label}</span>
      <input id={id} type="search" placeholder={label} value={value} onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}

export function Choice({ label, value, onChange, options }: FieldProps & { options: readonly (readonly [value: string, label: string])[] }) {
  return (
    <label>
      <span className="sr">{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ChipsProps<K extends string> {
  label: string;
  value: K;
  onChange: (value: K) => void;
  /** Each with how many fit, when that is known. */
  options: readonly { key: K; label: string; count?: number | undefined }[];
}

/** One of a few, all in sight. */
export function Chips<K extends string>({ label, value, onChange, options }: ChipsProps<K>) {
  const group = useId();
  return (
    <fieldset className="chips">
      <legend className="sr">{label}</legend>
      {options.map((option) => (
        <label key={option.key}>
          <input type="radio" name={group} checked={value === option.key} onChange={() => onChange(option.key)} />
          <span>
            {option.label} {option.count !== undefined && <b>{option.count}</b>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
