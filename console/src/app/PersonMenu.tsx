import { Menu, useMantineColorScheme } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, keepCsrf } from "~/api/client";
import { useSession } from "~/api/session";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { visibleText } from "~/text/visible";

/** Who I am, what I may, light or dark, and the way out. */
export function PersonMenu() {
  const session = useSession();
  const navigate = useNavigate();
  const signOut = useSignOut();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const roles = [...new Set(session?.grants.map((grant) => grant.role) ?? [])];
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <button type="button" className="bar-button" aria-label={`You: ${session ? visibleText(session.person.name, 60) : "not signed in"}`}>
          <Icon name="person" />
          <span className="bar-word"><Name text={session?.person.name} most={24} line none="…" /></span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {session && (
          <Menu.Label>
            <Name text={session.person.id} most={64} /> · {roles.length === 0 ? "no role" : roles.join(", ")}
          </Menu.Label>
        )}
        <Menu.Item leftSection={<Icon name="key" />} onClick={() => void navigate({ to: "/settings" })}>Passkeys and sessions</Menu.Item>
        <Menu.Divider />
        <Menu.Label>Appearance</Menu.Label>
        {(["light", "dark", "auto"] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            role="menuitemradio"
            aria-checked={colorScheme === scheme}
            leftSection={<Icon name={scheme === "light" ? "sun" : scheme === "dark" ? "moon" : "settings"} />}
            rightSection={colorScheme === scheme ? <Icon name="check" /> : undefined}
            onClick={() => setColorScheme(scheme)}
          >
            {scheme === "auto" ? "As the system has it" : scheme === "light" ? "Light" : "Dark"}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="close" />} onClick={() => signOut.mutate()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export function useSignOut() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => api.delete<unknown>("/api/v1/session"),
    // Whatever the server said, this page forgets everything.
    onSettled: async () => {
      keepCsrf(undefined);
      await navigate({ to: "/sign-in" });
      // But for the ways in, which the door is showing by now and which are nobody's: without them it offers no provider.
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "sign-in" });
      queries.getMutationCache().clear();
    },
  });
}
