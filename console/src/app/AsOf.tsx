import { Button, Popover, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Icon } from "~/parts/Icon";
import { minute } from "~/text/time";
import { pastInstant, useAsOf, useSetAsOf } from "./as-of";

const DAY = 86_400_000;

function ago(days: number): string {
  return new Date(Date.now() - days * DAY).toISOString().slice(0, 10);
}

/** Chooses the instant that every screen looks at. */
export function AsOfControl() {
  const asOf = useAsOf();
  const setAsOf = useSetAsOf();
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [isWrong, setWrong] = useState(false);
  const go = (value: string) => {
    const instant = pastInstant(value);
    setWrong(instant === undefined);
    if (instant === undefined) return;
    setAsOf(instant);
    setOpen(false);
  };
  return (
    <Popover opened={isOpen} onChange={setOpen} position="bottom-end" trapFocus withinPortal>
      <Popover.Target>
        <button type="button" className={asOf ? "bar-button is-past" : "bar-button"} aria-label={asOf ? `As of ${minute(Date.parse(asOf))}` : "As of now"} onClick={() => setOpen(!isOpen)}>
          <Icon name="clock" />
          <span className="bar-word">{asOf ? asOf.slice(0, 10) : "Now"}</span>
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          className="stack"
          onSubmit={(event: FormEvent) => {
            event.preventDefault();
            go(text);
          }}
        >
          <TextInput
            label="Show everything as it was"
            description="A date (its end) or an instant, UTC"
            placeholder="2026-03-31 or 2026-03-31 12:30"
            value={text}
            error={isWrong ? "Not an instant of the past: 2026-03-31, or 2026-03-31 12:30" : undefined}
            onChange={(event) => setText(event.currentTarget.value)}
            data-autofocus
          />
          <div className="row">
            <Button type="submit">Go there</Button>
            {[7, 30, 90].map((days) => (
              <Button key={days} variant="default" onClick={() => go(ago(days))}>{days} days ago</Button>
            ))}
          </div>
          {asOf && <Button variant="subtle" onClick={() => { setAsOf(undefined); setOpen(false); }}>Back to now</Button>}
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

/** While the past is shown, a band says so on every screen, on paper too. */
export function PastBand() {
  const asOf = useAsOf();
  const setAsOf = useSetAsOf();
  if (asOf === undefined) return null;
  return (
    <div className="past-band" role="status">
      <Icon name="clock" />
      <span>
        As it was on <strong>{minute(Date.parse(asOf))}</strong>. Nothing can be changed here.
      </span>
      <button type="button" onClick={() => setAsOf(undefined)}>Back to now</button>
    </div>
  );
}
