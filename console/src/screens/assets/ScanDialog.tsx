// Finding a device by its label: by the camera, which is on only while somebody asked for it, or by typing what is printed.
import { Button, Modal, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { canScan, lookUp, makeDetector } from "./scan";

/** Often enough to feel immediate, seldom enough for a phone's battery. */
const LOOK_MS = 250;

export function ScanDialog({ onClose }: { readonly onClose: () => void }) {
  const navigate = useNavigate();
  const [isCameraOn, setCameraOn] = useState(false);
  const [text, setText] = useState("");
  const look = useMutation({
    mutationFn: lookUp,
    onSuccess: (found, label) => {
      if (found.kind === "none") return;
      onClose();
      if (found.kind === "one") void navigate({ to: "/assets/$id", params: { id: found.id } });
      else void navigate({ to: "/assets", search: { udi: label.trim() } });
    },
  });
  const seen = (label: string) => {
    setCameraOn(false);
    setText(label);
    look.mutate(label);
  };
  return (
    <Modal opened onClose={onClose} title="Find a device by its label">
      <div className="stack">
        {isCameraOn ? (
          <Camera onSeen={seen} onStop={() => setCameraOn(false)} />
        ) : canScan() ? (
          <Button size="md" leftSection={<Icon name="scan" />} onClick={() => setCameraOn(true)}>Use the camera</Button>
        ) : (
          <p className="small quiet">This browser reads no barcodes. Type what is printed on the label; a hand scanner types it for you.</p>
        )}
        <form
          className="stack"
          onSubmit={(event: FormEvent) => {
            event.preventDefault();
            look.mutate(text);
          }}
        >
          <TextInput
            label="UDI, serial number or asset tag"
            description="(01)51022222233336(21)SN-4711, or what a scanner sends"
            value={text}
            required
            maxLength={512}
            autoCapitalize="off"
            spellCheck={false}
            {...(canScan() ? {} : { "data-autofocus": true })}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          {look.data?.kind === "none" && <p role="status">Nothing in the register has the label <strong><Name text={look.data.text} mono most={80} /></strong>. Check it, or search by model.</p>}
          {look.error && <ProblemPanel error={look.error} compact />}
          <div className="row">
            <Button type="submit" variant={canScan() ? "default" : "filled"} loading={look.isPending}>Find it</Button>
            <Button variant="subtle" onClick={onClose}>Close</Button>
          </div>
        </form>
      </div>
    </Modal>
  );
}

function Camera({ onSeen, onStop }: { readonly onSeen: (text: string) => void; readonly onStop: () => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [error, setError] = useState<string>();
  const tell = useRef(onSeen);
  useEffect(() => {
    tell.current = onSeen;
  });
  useEffect(() => {
    let stream: MediaStream | undefined;
    let timer: number | undefined;
    let isOver = false;
    const watch = async () => {
      const detector = await makeDetector();
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      const screen = video.current;
      if (isOver || screen === null) return stop();
      screen.srcObject = stream;
      await screen.play();
      const look = async () => {
        const [code] = screen.readyState >= 2 ? await detector.detect(screen) : [];
        if (isOver) return;
        if (code !== undefined) tell.current(code.rawValue);
        else timer = window.setTimeout(() => void look().catch(failed), LOOK_MS);
      };
      await look();
    };
    const stop = () => {
      isOver = true;
      window.clearTimeout(timer);
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    const failed = (cause: unknown) => {
      if (isOver) return;
      stop();
      const isNo = cause instanceof DOMException && cause.name === "NotAllowedError";
      setError(isNo ? "The camera was not allowed. Allow it in the browser's settings for this page, or type the label." : `The camera cannot be used: ${cause instanceof Error ? cause.message : "it failed"}`);
    };
    watch().catch(failed);
    return stop;
  }, []);
  if (error !== undefined) {
    return (
      <div className="stack tight" role="alert">
        <p>{error}</p>
        <div className="row"><Button variant="default" size="compact-sm" onClick={onStop}>Without the camera</Button></div>
      </div>
    );
  }
  return (
    <div className="assets-camera">
      <video ref={video} muted playsInline aria-label="Picture of the camera" />
      <p className="small quiet" role="status">Hold the label so that the code fills the frame. The picture stays in this browser.</p>
      <Button variant="default" size="compact-sm" onClick={onStop}>Stop the camera</Button>
    </div>
  );
}
