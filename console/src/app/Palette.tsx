// Everything by keyboard: screens, saved views, a search, appearance. Loaded when it is first opened.
import { Modal, useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useId, useState } from "react";
import { api } from "~/api/client";
import { useSession } from "~/api/session";
import { Icon, type IconName } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { useSetAsOf } from "./as-of";
import { isOffered, SCREENS } from "./nav";
import { useSignOut } from "./PersonMenu";
import { asSearch } from "./search-text";
import "./palette.css";

interface Command {
  readonly id: string;
  readonly icon: IconName;
  readonly label: string;
  readonly about?: string;
  readonly keys?: string;
  readonly run: () => void;
}

interface View {
  readonly name: string;
  readonly query: string;
}

const MOST = 12;

export default function Palette({ onClose }: { readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useId();
  const commands = useCommands(text);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands
    .filter((command) => command.id === "search" || words.every((word) => `${command.label} ${command.about ?? ""}`.toLowerCase().includes(word)))
    .slice(0, MOST);
  const current = Math.min(at, found.length - 1);
  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt((current + 1) % found.length);
    else if (event.key === "ArrowUp") setAt((current + found.length - 1) % found.length);
    else if (event.key === "Enter") run(found[current]);
    else return;
    event.preventDefault();
  };
  return (
    <Modal opened onClose={onClose} withCloseButton={false} padding={0} size={560} yOffset="12vh" centered={false} aria-label="Commands">
      <input
        className="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={`${list}-${current}`}
        aria-label="Type a command, a screen or a search"
        placeholder="Type a screen, a view or a search"
        data-autofocus
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul id={list} role="listbox" aria-label="Commands" className="palette-list">
        {found.map((command, index) => (
          <li
            key={command.id}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === current}
            className={index === current ? "palette-item is-current" : "palette-item"}
            onMouseEnter={() => setAt(index)}
            onClick={() => run(command)}
          >
            <Icon name={command.icon} />
            <span className="palette-label"><Name text={command.label} most={60} /></span>
            {command.about && <span className="palette-about"><Name text={command.about} most={80} line /></span>}
            {command.keys && <kbd>{command.keys}</kbd>}
          </li>
        ))}
      </ul>
    </Modal>
  );
}

function useCommands(text: string): readonly Command[] {
  const navigate = useNavigate();
  const session = useSession();
  const setAsOf = useSetAsOf();
  const signOut = useSignOut();
  const { setColorScheme } = useMantineColorScheme();
  const views = useQuery({ queryKey: ["views"], queryFn: () => api.get<readonly View[]>("/api/v1/inventory/views"), staleTime: 60_000 });
  const search: readonly Command[] =
    text.trim() === ""
      ? []
      : [{ id: "search", icon: "search", label: `Search the inventory for ${text.trim()}`, run: () => void navigate({ to: "/inventory", search: { q: asSearch(text) } }) }];
  const screens = SCREENS.filter((screen) => isOffered(screen, session)).map((screen): Command => ({
    id: screen.to,
    icon: screen.icon,
    label: screen.label,
    about: screen.about,
    keys: `g ${screen.key}`,
    run: () => void navigate({ to: screen.to }),
  }));
  const saved = (views.data ?? []).map((view): Command => ({
    id: `view ${view.name}`,
    icon: "save",
    label: `View ${view.name}`,
    about: view.query,
    run: () => void navigate({ to: "/inventory", search: { view: view.name } }),
  }));
  const rest: readonly Command[] = [
    { id: "light", icon: "sun", label: "Light appearance", run: () => setColorScheme("light") },
    { id: "dark", icon: "moon", label: "Dark appearance", run: () => setColorScheme("dark") },
    { id: "now", icon: "clock", label: "Back to now", about: "Ends the look at the past", run: () => setAsOf(undefined) },
    { id: "print", icon: "print", label: "Print this screen", run: () => window.setTimeout(() => window.print(), 100) },
    { id: "out", icon: "close", label: "Sign out", run: () => signOut.mutate() },
  ];
  const matching = [...screens, ...saved, ...rest];
  return [...matching, ...search];
}
