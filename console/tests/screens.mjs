// Every screen, as the tests open it: a name for its picture, an address, what must be there before it counts as drawn.
export const SCREENS = [
  { name: "overview", path: "/", ready: "h1" },
  { name: "inventory", path: "/inventory", ready: '[role="row"][aria-rowindex="3"]' },
  { name: "inventory-search", path: "/inventory?q=expires+%3C+30d+and+not+expired&sort=risk", ready: '[role="row"][aria-rowindex="2"]' },
  { name: "inventory-mistake", path: "/inventory?q=phi+and+risk+%3E+grave", ready: '[role="alert"]' },
  { name: "inventory-nothing", path: "/inventory?q=%22nothing+has+this+name%22", ready: ".empty" },
  { name: "certificate", path: (house) => `/inventory/${house.certificate}`, ready: ".chain-self" },
  { name: "radar", path: "/radar", ready: ".radar-web" },
  { name: "radar-past", path: "/radar?as_of=2020-01-01T00:00:00Z", ready: '[role="alert"]' },
  { name: "hostile", path: "/inventory?q=segment+%3D+none+or+owner+%3D+security", ready: '[role="row"][aria-rowindex="3"]' },
];
