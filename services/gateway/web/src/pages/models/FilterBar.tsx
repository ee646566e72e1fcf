import { useEffect, useId, useMemo, useRef, useState, type ReactNode } from "react";
import { Icon } from "../../icons";
import { Choice, Filters, SearchField } from "../../parts/filters";
import { Button } from "../../ui";
import { isFiltered, KINDS, NOTHING, options, type Chosen, type Facet, type Kind, type Listing } from "./facets";
import { isObject, isTexts, KEYS, read, write } from "./stored";

type Saved = Record<string, Chosen>;

function isChosen(value: unknown): value is Chosen {
  return isObject(value) && typeof value["text"] === "string" && typeof value["sort"] === "string" && KINDS.every((kind) => isTexts(value[kind]));
}

function isSaved(value: unknown): value is Saved {
  return isObject(value) && Object.values(value).every(isChosen);
}

/** What is chosen in a list, remembered for each list in this browser. */
export function useChosen(list: string): [Chosen, (next: Chosen) => void] {
  const [chosen, setChosen] = useState<Chosen>(() => ({ ...NOTHING, ...read(KEYS.filters, isSaved)?.[list] }));
  const set = (next: Chosen) => {
    setChosen(next);
    write(KEYS.filters, { ...read(KEYS.filters, isSaved), [list]: next });
  };
  return [chosen, set];
}

interface FilterBarProps<T> {
  /** What is listed, in the plural. */
  what: string;
  items: readonly T[];
  listing: Listing<T>;
  chosen: Chosen;
  onChange: (next: Chosen) => void;
  /** How many fit. */
  shown: number;
}

/** Search, filters and order of a list; on phones the filters are in a sheet from below. */
export function FilterBar<T>({ what, items, listing, chosen, onChange, shown }: FilterBarProps<T>) {
  const [sheet, setSheet] = useState(false);
  const count = KINDS.reduce((sum, kind) => sum + chosen[kind].length, 0);
  const toggle = (kind: Kind, value: string) => onChange(toggled(chosen, kind, value));
  return (
    <div className="models-filters">
      <Filters label={`Filter ${what}`}>
        <SearchField id="models-search" label={`Search ${what}`} value={chosen.text} onChange={(text) => onChange({ ...chosen, text })} />
        <div className="inline-facets">
          {listing.facets.map((facet) => (
            <FacetMenu key={facet.kind} facet={facet} items={items} chosen={chosen} onToggle={toggle} />
          ))}
          <Sorting listing={listing} chosen={chosen} onChange={onChange} />
        </div>
        <div className="sheet-button">
          <Button icon="filter" onClick={() => setSheet(true)}>
            {count > 0 ? `Filters (${count})` : "Filters"}
          </Button>
        </div>
      </Filters>
      <Chips chosen={chosen} listing={listing} onChange={onChange} />
      <p className="sr" role="status">{`${shown} ${what} shown`}</p>
      {sheet && <Sheet what={what} items={items} listing={listing} chosen={chosen} onApply={onChange} onClose={() => setSheet(false)} />}
    </div>
  );
}

function toggled(chosen: Chosen, kind: Kind, value: string): Chosen {
  const now = chosen[kind];
  return { ...chosen, [kind]: now.includes(value) ? now.filter((other) => other !== value) : [...now, value] };
}

interface ChoosingProps<T> {
  listing: Listing<T>;
  chosen: Chosen;
  onChange: (next: Chosen) => void;
}

function Sorting<T>({ listing: { orders }, chosen, onChange }: ChoosingProps<T>) {
  const key = orders.some((order) => order.key === chosen.sort) ? chosen.sort : orders[0].key;
  return (
    <div className="sorting">
      <Choice label="Sort by" value={key} onChange={(sort) => onChange({ ...chosen, sort })} options={orders.map((order) => [order.key, `By ${order.label}`] as const)} />
      <Button
        icon={chosen.descending ? "chevronDown" : "chevronUp"}
        label={chosen.descending ? "Order: reversed. Turn round" : "Order: usual. Turn round"}
        onClick={() => onChange({ ...chosen, descending: !chosen.descending })}
      />
    </div>
  );
}

/** The chosen values, each with a button that takes it away. */
function Chips<T>({ chosen, listing: { facets }, onChange }: ChoosingProps<T>) {
  const list = useRef<HTMLUListElement>(null);
  if (!isFiltered(chosen)) return null;
  const without = (kind: Kind, value: string) => {
    onChange(toggled(chosen, kind, value));
    // The button that was pressed is gone.
    requestAnimationFrame(() => (list.current?.querySelector("button") ?? document.getElementById("models-search"))?.focus());
  };
  return (
    <ul className="chosen" ref={list} aria-label="Chosen filters">
      {facets.flatMap(({ kind, label, names }) =>
        chosen[kind].map((value) => (
          <li key={`${kind} ${value}`}>
            <button type="button" className="chip" onClick={() => without(kind, value)}>
              <span className="sr">Remove </span>
              <span>
                <span className="muted">{label}:</span> {names?.[value]?.split(" · ")[0] ?? value}
              </span>
              <Icon name="close" />
            </button>
          </li>
        )),
      )}
      <li>
        <Button
          kind="quiet"
          onClick={() => {
            onChange({ ...chosen, ...cleared });
            document.getElementById("models-search")?.focus();
          }}
        >
          Clear all
        </Button>
      </li>
    </ul>
  );
}

const cleared = { text: "", families: [], folders: [], sizes: [], statuses: [] };

interface FacetProps<T> {
  facet: Facet<T>;
  items: readonly T[];
  chosen: Chosen;
  onToggle: (kind: Kind, value: string) => void;
}

function FacetMenu<T>({ facet, items, chosen, onToggle }: FacetProps<T>) {
  const details = useRef<HTMLDetailsElement>(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!open) return;
    const close = () => details.current && (details.current.open = false);
    const onPointer = (event: PointerEvent) => {
      if (!details.current?.contains(event.target as Node)) close();
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      close();
      details.current?.querySelector("summary")?.focus();
    };
    const onFocus = (event: FocusEvent) => {
      if (event.target instanceof Node && !details.current?.contains(event.target)) close();
    };
    addEventListener("pointerdown", onPointer);
    addEventListener("keydown", onKey);
    addEventListener("focusin", onFocus);
    return () => {
      removeEventListener("pointerdown", onPointer);
      removeEventListener("keydown", onKey);
      removeEventListener("focusin", onFocus);
    };
  }, [open]);
  const count = chosen[facet.kind].length;
  return (
    <details className="facet" ref={details} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className={`button${count > 0 ? " on" : ""}`}>
        {facet.label}
        {count > 0 && <b> {count}</b>}
        <Icon name="chevronDown" />
      </summary>
      {open && (
        <div className="facet-menu card">
          <Boxes facet={facet} items={items} chosen={chosen} onToggle={onToggle} />
        </div>
      )}
    </details>
  );
}

function Boxes<T>({ facet, items, chosen, onToggle }: FacetProps<T>) {
  const found = useMemo(() => options(items, facet, chosen), [items, facet, chosen]);
  return (
    <fieldset className="boxes">
      <legend className="sr">{facet.label}</legend>
      {found.length === 0 && <p className="muted">Nothing to choose from yet.</p>}
      {found.map(({ value, name, count }) => (
        <label key={value}>
          <input type="checkbox" checked={chosen[facet.kind].includes(value)} onChange={() => onToggle(facet.kind, value)} />
          <span>{name}</span>
          <span className="muted">{count}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface SheetProps<T> {
  what: string;
  items: readonly T[];
  listing: Listing<T>;
  chosen: Chosen;
  onApply: (next: Chosen) => void;
  onClose: () => void;
}

function Sheet<T>({ what, items, listing, chosen, onApply, onClose }: SheetProps<T>) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const [draft, setDraft] = useState(chosen);
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  const group = (label: string, children: ReactNode) => (
    <section key={label}>
      <h3>{label}</h3>
      {children}
    </section>
  );
  return (
    <dialog ref={dialog} className="sheet" aria-labelledby={heading} onClose={onClose} onClick={(event) => event.target === dialog.current && close()}>
      <header>
        <h2 id={heading}>Filter {what}</h2>
        <Button icon="close" kind="quiet" label="Close" onClick={close} />
      </header>
      <div className="sheet-body" role="group" aria-labelledby={heading} tabIndex={0}>
        {group("Order", <Sorting listing={listing} chosen={draft} onChange={setDraft} />)}
        {listing.facets.map((facet) =>
          group(facet.label, <Boxes facet={facet} items={items} chosen={draft} onToggle={(kind, value) => setDraft(toggled(draft, kind, value))} />),
        )}
      </div>
      <footer>
        <Button onClick={() => setDraft({ ...draft, ...cleared, text: draft.text })}>Clear</Button>
        <Button
          kind="primary"
          onClick={() => {
            onApply(draft);
            close();
          }}
        >
          Apply
        </Button>
      </footer>
    </dialog>
  );
}
