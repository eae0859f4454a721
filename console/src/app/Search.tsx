// The search in the bar: a search of the inventory, or straight to a certificate by the beginning of its SHA-256.
import { useHotkeys } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";
import { Icon } from "~/parts/Icon";
import { asSearch, sha256Of } from "./search-text";

export function Search() {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const navigate = useNavigate();
  useHotkeys([["/", () => input.current?.focus()]]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const sha256 = sha256Of(text);
    if (sha256 !== undefined) void navigate({ to: "/inventory/$sha256", params: { sha256 } });
    else void navigate({ to: "/inventory", search: { q: asSearch(text) } });
    input.current?.blur();
  };
  return (
    <form className="search" role="search" onSubmit={submit}>
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        aria-label="Search the inventory"
        placeholder="Name, device, or expires < 30d and phi"
        autoComplete="off"
        spellCheck={false}
        maxLength={4096}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && input.current?.blur()}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}
