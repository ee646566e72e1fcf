import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api, ApiError } from "../../api/client";
import type { components } from "../../api/schema";
import { useLiveContext } from "../../api/useLive";
import { sourceOf, State } from "../../state";
import { notify } from "../../toasts";
import { Button, Section } from "../../ui";
import { resetTour } from "../models/tour";
import { Refusal, Switch } from "./parts";

type Shown = components["schemas"]["UserSettingsShown"];

/** The Models page reads the same settings under this key. */
const KEY = ["user", "settings"] as const;

/** Whether the Models page shows what is worth a look. */
export function Featured() {
  const queries = useQueryClient();
  const { connection } = useLiveContext();
  const settings = useQuery({ queryKey: KEY, queryFn: () => answer(api.GET("/api/v1/user/settings")), retry: 1 });
  const save = useMutation({
    mutationFn: (show_featured_models: boolean) => answer(api.PUT("/api/v1/user/settings", { body: { show_featured_models } })),
    onSuccess: (stored) => queries.setQueryData<Shown>(KEY, stored),
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
    },
    scope: { id: "settings" },
    networkMode: "always",
  });
  return (
    <Section id="featured-setting" title="Models page" at={settings.dataUpdatedAt || undefined}>
      <State of={sourceOf(settings)} what="your settings" lines={1}>
        {({ show_featured_models }) => (
          <Switch checked={show_featured_models} onSave={(checked) => save.mutateAsync(checked)} label="Featured models" about="A row of models worth a look, above the presets." />
        )}
      </State>
      <Refusal error={save.error} />
    </Section>
  );
}

/** The way through the Models page, once more. */
export function Tour() {
  const again = () => {
    resetTour();
    notify({ type: "success", title: "The tour begins again", message: "It is offered when you next open the Models page." });
  };
  return (
    <Section id="tour" title="Tour of the Models page">
      <div className="setting">
        <p>
          Four stops <small>Where models are kept, how to find one, and how to get one.</small>
        </p>
        <Button icon="reset" onClick={again}>
          Start over
        </Button>
      </div>
    </Section>
  );
}
