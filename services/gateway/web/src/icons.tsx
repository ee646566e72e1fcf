/** Strokes on a 20 x 20 grid. */
const PATHS = {
  activity: "M2 10h4l2.5-6 4 12 2.5-6h3",
  audio: "M7 15V4.5l9-2V13M7 15a2.2 2.2 0 11-4.4 0A2.2 2.2 0 017 15zM16 13a2.2 2.2 0 11-4.4 0 2.2 2.2 0 014.4 0z",
  arrowLeft: "M16 10H4m5-5l-5 5 5 5",
  arrowRight: "M4 10h12m-5-5l5 5-5 5",
  chat: "M3 4.5h14v9H9l-4 3v-3H3z",
  check: "M4 10.5l4 4 8-9",
  chevronDown: "M5 8l5 5 5-5",
  chevronRight: "M8 5l5 5-5 5",
  chevronUp: "M5 12l5-5 5 5",
  close: "M5 5l10 10M15 5L5 15",
  code: "M7 6l-4 4 4 4M13 6l4 4-4 4M11.2 4.5l-2.4 11",
  copy: "M7 7h10v10H7zM13 7V3H3v10h4",
  cross: "M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM7.5 7.5l5 5M12.5 7.5l-5 5",
  datasets: "M10 3c3.6 0 6.5 1.1 6.5 2.5S13.6 8 10 8 3.5 6.9 3.5 5.5 6.4 3 10 3zM3.5 5.5v9C3.5 15.9 6.4 17 10 17s6.5-1.1 6.5-2.5v-9M3.5 10c0 1.4 2.9 2.5 6.5 2.5s6.5-1.1 6.5-2.5",
  disk: "M4.5 4h11l2 7v5h-15v-5zM2.5 11h15M14 13.6v.1",
  external: "M8 4H4v12h12v-4M11.5 3.5h5v5M16.5 3.5L9 11",
  file: "M5 2.5h6.5l4 4v11H5zM11.5 2.5v4h4",
  filter: "M2.5 4h15l-6 7v5.5l-3-1.8V11z",
  folder: "M2.5 5h5.5l2 2.2h7.5V16h-15z",
  download: "M10 3v9m-4-4l4 4 4-4M4 16h12",
  grip: "M7 5v.1M13 5v.1M7 10v.1M13 10v.1M7 15v.1M13 15v.1",
  heart: "M10 16.5C5.5 13.2 3 10.6 3 7.6 3 5.4 4.7 4 6.4 4c1.5 0 2.8.9 3.6 2.3C10.8 4.9 12.1 4 13.6 4 15.3 4 17 5.4 17 7.6c0 3-2.5 5.6-7 8.9z",
  hide: "M3 3l14 14M8.5 5.2A7.6 7.6 0 0110 5c4 0 6.6 3 7.5 5a9.8 9.8 0 01-2.2 3M5.5 6.5A9.7 9.7 0 002.5 10c.9 2 3.5 5 7.5 5a7.6 7.6 0 003.5-.8",
  home: "M3 9l7-6 7 6v8h-5v-5H8v5H3z",
  image: "M3 4h14v12H3zM3 13.5l4-4 3.5 3.5 2.5-2 4 3.5M13 7.5v.1",
  info: "M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM10 9.2v4.3M10 6.4v.2",
  keyboard: "M2.5 5.5h15v9h-15zM5.5 8.5h.1M8.5 8.5h.1M11.5 8.5h.1M14.5 8.5h.1M6.5 11.7h7",
  layout: "M3 3.5h14v13H3zM3 8.5h14M9 8.5v8",
  link: "M8.3 11.7a3.2 3.2 0 004.6 0l3-3a3.2 3.2 0 00-4.6-4.6L10 5.4M11.7 8.3a3.2 3.2 0 00-4.6 0l-3 3a3.2 3.2 0 004.6 4.6L10 14.6",
  message: "M3 5h14v10H3zM3.5 5.5L10 11l6.5-5.5",
  models: "M10 2.5l6.5 3.7v7.6L10 17.5l-6.5-3.7V6.2zM3.5 6.2L10 10l6.5-3.8M10 10v7.5",
  more: "M4.5 10v.1M10 10v.1M15.5 10v.1",
  moon: "M16.5 11.5A6.8 6.8 0 018.5 3.5a6.8 6.8 0 108 8z",
  narrower: "M2 10h5m-2.5-2.5L7 10l-2.5 2.5M18 10h-5m2.5-2.5L13 10l2.5 2.5",
  pause: "M7 4v12M13 4v12",
  play: "M6 4l9.5 6L6 16z",
  plus: "M10 4v12M4 10h12",
  presets: "M3.5 3.5h5v5h-5zM11.5 3.5h5v5h-5zM3.5 11.5h5v5h-5zM11.5 11.5h5v5h-5z",
  queue: "M3 5h9M3 10h9M3 15h6M15 4v9m-2.5-2.5L15 13l2.5-2.5",
  refresh: "M16 8.5A6.3 6.3 0 104.6 13M16.2 4v4.6h-4.6",
  reset: "M4 8.5A6.3 6.3 0 1115.4 13M3.8 4v4.6h4.6",
  screen: "M3 4h14v9H3zM7 16.5h6M10 13v3.5",
  search: "M9 3.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM13 13l3.8 3.8",
  settings: "M3 5.5h7M14 5.5h3M12 3.5a2 2 0 110 4 2 2 0 010-4zM3 14.5h3M10 14.5h7M8 12.5a2 2 0 110 4 2 2 0 010-4z",
  shorter: "M10 2v5m-2.5-2.5L10 7l2.5-2.5M10 18v-5m-2.5 2.5L10 13l2.5 2.5",
  signOut: "M8 3.5H4v13h4M9 10h7.5m-3-3l3 3-3 3",
  sun: "M10 6.5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6L16 16M16 4l-1.4 1.4M5.4 14.6L4 16",
  taller: "M10 8V2.5m-2.5 2.5L10 2.5 12.5 5M10 12v5.5m-2.5-2.5l2.5 2.5 2.5-2.5",
  tokens: "M4 4h12M10 4v12M7 16h6",
  top: "M4 3.5h12M5 11l5-5 5 5M10 6v11",
  training: "M3 16.5h14M4.5 13l4-4.5 3 2.5 4.5-6M13 5h3v3",
  trash: "M3.5 5.5h13M8 5.5v-2h4v2M5 5.5l.8 11h8.4l.8-11M8.3 8.5v5M11.7 8.5v5",
  user: "M10 3a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM3.5 17c.8-3 3.4-4.5 6.5-4.5s5.7 1.5 6.5 4.5",
  video: "M2.5 5h10v10h-10zM12.5 9l5-3v8l-5-3z",
  warning: "M10 3l7.5 13.5h-15zM10 8.2v3.6M10 14.2v.2",
  wider: "M8 10H2.5M5 7.5L2.5 10 5 12.5M12 10h5.5M15 7.5l2.5 2.5-2.5 2.5",
  workflows: "M2.5 3.5h5v4h-5zM12.5 3.5h5v4h-5zM7.5 12.5h5v4h-5zM7.5 5.5h5M5 7.5v3h10v-3M10 10.5v2",
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration beside a text, or inside a labelled button: always hidden from assistive technology. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="i" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
