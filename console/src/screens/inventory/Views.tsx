// Saved views: a search with a name, kept ready by the server.
import { Button, Menu, Modal, Select, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { useMayWhole } from "~/api/session";
import type { StoredView } from "~/api/types";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";

export function useViews() {
  return useQuery({ queryKey: ["views"], queryFn: () => api.get<readonly StoredView[]>("/api/v1/inventory/views"), staleTime: 60_000 });
}

interface ViewsProps {
  readonly current: string | undefined;
  readonly onChoose: (name: string) => void;
  readonly onSearch: (text: string) => void;
}

export function Views({ current, onChoose, onSearch }: ViewsProps) {
  const views = useViews();
  const mayManage = useMayWhole("manage-inventory");
  const shown = views.data?.find((view) => view.name === current);
  const remove = useAct({
    call: (name: string) => api.delete<undefined>("/api/v1/inventory/views/{name}", { path: { name } }),
    done: (_, name) => `View ${name} is removed`,
    touches: ["views"],
    then: () => onSearch(""),
  });
  return (
    <>
      <Menu position="bottom-start" width={320}>
        <Menu.Target>
          <Button variant="default" size="compact-sm" leftSection={<Icon name="save" size={13} />} rightSection={<Icon name="down" size={11} />}>
            {current === undefined ? "Views" : <Name text={current} most={40} line />}
          </Button>
        </Menu.Target>
        <Menu.Dropdown className="views">
          {views.data?.map((view) => (
            <Menu.Item
              key={view.name}
              onClick={() => onChoose(view.name)}
              rightSection={<span className="quiet small">{view.members === null ? "…" : view.members.toLocaleString("en")}</span>}
            >
              <Name text={view.name} line />
              <span className="views-query"><Name text={view.query} line /></span>
            </Menu.Item>
          ))}
          {views.error && <Menu.Label>Views cannot be read now</Menu.Label>}
        </Menu.Dropdown>
      </Menu>
      {shown && <Button variant="subtle" size="compact-sm" onClick={() => onSearch(shown.query)}>Its search</Button>}
      {shown && shown.version > 0 && mayManage && (
        <Button variant="subtle" size="compact-sm" loading={remove.isPending} onClick={() => remove.mutate(shown.name)}>Remove</Button>
      )}
      {remove.error && <ProblemPanel error={remove.error} compact />}
    </>
  );
}

const SORTS = ["expires", "starts", "first-seen", "last-seen", "risk", "criticality", "findings", "places"];

export function SaveView({ q, sort, isView }: { readonly q: string; readonly sort: string | undefined; readonly isView: boolean }) {
  const mayManage = useMayWhole("manage-inventory");
  const navigate = useNavigate();
  const [isOpen, setOpen] = useState(false);
  const [draft, setDraft] = useState({ name: "", note: "", sort: sort ?? "expires" });
  const save = useAct({
    call: () => api.post<StoredView>("/api/v1/inventory/views", { body: { ...draft, query: q } }),
    done: (view) => `View ${view.name} is saved`,
    touches: ["views"],
    then: (view) => {
      setOpen(false);
      void navigate({ to: "/inventory", search: { view: view.name } });
    },
  });
  if (!mayManage || isView || q === "") return null;
  return (
    <>
      <Button variant="default" leftSection={<Icon name="save" />} onClick={() => setOpen(true)}>Save as view</Button>
      <Modal opened={isOpen} onClose={() => setOpen(false)} title="Save this search as a view">
        <form
          className="stack"
          onSubmit={(event: FormEvent) => {
            event.preventDefault();
            save.mutate(undefined);
          }}
        >
          <p className="mono small"><Name text={q} /></p>
          <TextInput label="Name" description="Letters, digits and hyphens" required data-autofocus maxLength={64} value={draft.name} onChange={(event) => setDraft({ ...draft, name: event.currentTarget.value })} />
          <Select label="Order" data={SORTS} value={draft.sort} onChange={(value) => setDraft({ ...draft, sort: value ?? "expires" })} />
          <Textarea label="Note" description="Who looks at it, and when" maxLength={500} value={draft.note} onChange={(event) => setDraft({ ...draft, note: event.currentTarget.value })} />
          {save.error && <ProblemPanel error={save.error} compact />}
          <div className="row"><Button type="submit" loading={save.isPending}>Save</Button></div>
        </form>
      </Modal>
    </>
  );
}
