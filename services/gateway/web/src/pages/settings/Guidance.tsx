import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api, ApiError } from "../../api/client";
import type { components } from "../../api/schema";
import { useLiveContext } from "../../api/useLive";
import { sourceOf, State } from "../../state";
import { notify } from "../../toasts";
import { Button, Section } from "../../ui";
import { resetTour } from "../models/tour";
import { Option, Refusal } from "./parts";

type Shown = components["schemas"]["UserSettingsShown"];

/** The Models page reads the same settings under this key. */
const KEY = ["user", "settings"] as const;

/** What the Models page shows to find one's way. */
export function Guidance() {
  const queries = useQueryClient();
  const { connection } = useLiveContext();
  const settings = useQuery({ queryKey: KEY, queryFn: () => answer(api.GET("/api/v1/user/settings")), retry: 1, refetchOnWindowFocus: "always" });
  const save = useMutation({
    mutationFn: (show_featured_models: boolean) => answer(api.PUT("/api/v1/user/settings", { body: { show_featured_models } })),
    onMutate: async (show_featured_models) => {
      await queries.cancelQueries({ queryKey: KEY });
      const before = queries.getQueryData<Shown>(KEY);
      if (before) queries.setQueryData<Shown>(KEY, { ...before, show_featured_models });
      return before;
    },
    onSuccess: (stored) => queries.setQueryData<Shown>(KEY, stored),
    onError: (error, _, before) => {
      queries.setQueryData(KEY, before);
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
    },
    networkMode: "always",
  });
  const again = () => {
    resetTour();
    notify({ type: "success", title: "The tour begins again", message: "It is offered when you next open the Models page." });
  };
  return (
    <Section id="guidance" title="Guidance" at={settings.dataUpdatedAt || undefined}>
      <State of={sourceOf(settings)} what="your settings" lines={1}>
        {({ show_featured_models }) => (
          <Option
            type="checkbox"
            checked={show_featured_models}
            onChange={(checked) => save.mutate(checked)}
            label="Featured models"
            about="Shown on the Models page, for you in every browser."
          />
        )}
      </State>
      <Refusal error={save.error} />
      <div className="setting">
        <p>
          Tour of the Models page <small>Four stops. Begins again in this browser.</small>
        </p>
        <Button icon="reset" onClick={again}>
          Start over
        </Button>
      </div>
    </Section>
  );
}
