// The console's own drawings, 16 by 16, one line each: a font or a package of thousands would be more to load than to draw.
const PATHS = {
  overview: "M2 2.5h5v5H2zM9 2.5h5v3H9zM9 7.5h5v6H9zM2 9.5h5v4H2z",
  inventory: "M2.5 3.5h11M2.5 8h11M2.5 12.5h11M5 2v12",
  certificate: "M3 2h10v8H3zM5 5h6M5 7.5h3M9.5 10v4l1.5-1 1.5 1v-4",
  asset: "M3 3h10v7H3zM6 13.5h4M8 10v3.5M5 6.5h2l1-1.5 1 3 1-1.5h1",
  discovery: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3 14 14M7 5v4M5 7h4",
  topology: "M8 3.5a1.5 1.5 0 1 0 0-.1M3.5 13a1.5 1.5 0 1 0 0-.1M12.5 13a1.5 1.5 0 1 0 0-.1M8 5v3M8 8 4 11.5M8 8l4 3.5",
  request: "M3 2.5h10v11H3zM5.5 6l1.5 1.5L10.5 4.5M5.5 10.5h5",
  authority: "M8 1.5 13.5 4v4c0 3.5-2.5 5.5-5.5 6.5C5 13.5 2.5 11.5 2.5 8V4zM5.5 8l2 2 3-4",
  audit: "M4 1.5h6l3 3v10H4zM10 1.5v3h3M6 8h5M6 10.5h5M6 5.5h2",
  radar: "M8 1.5 14 6l-2.3 7H4.3L2 6zM8 5l3 2.2-1.1 3.5H6.1L5 7.2z",
  settings: "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M3.4 12.6l1.4-1.4M11.2 4.8l1.4-1.4",
  scan: "M2 5V2.5h3M11 2.5h3V5M14 11v2.5h-3M5 13.5H2V11M4.5 5.5v5M7 5.5v5M9 5.5v5M11.5 5.5v5",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3 14 14",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 5v3.5l2 1.5",
  person: "M8 2.5a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M2.8 14c.5-3 2.5-4.3 5.2-4.3s4.7 1.3 5.2 4.3",
  menu: "M2 4h12M2 8h12M2 12h12",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  check: "M3 8.5 6.5 12 13 4.5",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  up: "M4 10l4-4 4 4",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  export: "M8 2v7.5M5 6.5 8 9.5l3-3M2.5 11v2.5h11V11",
  save: "M4 2h8v12l-4-3-4 3z",
  help: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M6 6.2c0-2.6 4-2.6 4 0 0 1.6-2 1.7-2 3.3M8 11.5v.2",
  warning: "M8 2 15 14H1zM8 6.5v3.5M8 12v.2",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5",
  print: "M4.5 6V2h7v4M4.5 11.5h-2V6h11v5.5h-2M4.5 9.5h7V14h-7z",
  key: "M5 6.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M7.2 7.8 13.5 1.5M11 4l2 2M9 6l1.5 1.5",
  renew: "M13 5.5A5.5 5.5 0 0 0 3 5M13 2.5v3h-3M3 10.5a5.5 5.5 0 0 0 10 .5M3 13.5v-3h3",
  revoke: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M3.8 3.8l8.4 8.4",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false" className="icon">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
