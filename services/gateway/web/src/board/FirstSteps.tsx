import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../api/client";
import { useTopic } from "../api/useLive";
import { Icon, type IconName } from "../icons";
import { reachable } from "../pages/paths";
import { notify } from "../toasts";
import { Badge, Button } from "../ui";
import { HIDDEN } from "./useFresh";
import "./first-steps.css";

interface Step {
  icon: IconName;
  title: string;
  about: string;
  href: string;
  label: string;
  done?: boolean;
}

/** What to do first, where nothing is installed yet. */
export function FirstSteps({ onHide }: { onHide: () => void }) {
  const presets = useTopic("presets")?.data.presets ?? {};
  const queue = useTopic("queue")?.data;
  const hiding = useHiding(onHide);
  const begun = Object.keys({ ...queue?.active, ...queue?.queue }).length > 0;
  const installed = Object.values(presets).some((preset) => preset.installed);
  const steps: readonly Step[] = [
    {
      icon: "download",
      title: begun && !installed ? "Your first model is on its way" : "Install a first model",
      about: "Presets bring every file a model needs, check it, and put it into the right folder.",
      href: "/models",
      label: "Browse models",
      done: installed,
    },
    {
      icon: "workflows",
      title: "Check your workflows",
      about: "Drop a ComfyUI workflow on the page: it says which models are missing, and installs them.",
      href: "/workflows",
      label: "Check a workflow",
    },
    {
      icon: "code",
      title: "Bring in your programs",
      about: "Scripts install and watch with a token; what they publish is shown on this page.",
      href: "/settings",
      label: "Make a token",
    },
  ];
  return (
    <section className="card section first-steps" aria-labelledby="first-steps">
      <header>
        <h2 id="first-steps">Welcome: three first steps</h2>
        <div className="actions">
          <Button kind="quiet" busy={hiding.isPending} onClick={() => hiding.mutate()}>
            Hide this
          </Button>
        </div>
      </header>
      <ol>
        {steps
          .filter(({ href }) => reachable(href))
          .map(({ icon, title, about, href, label, done }, index) => (
            <li key={href}>
              <span className={`mark ${done ? "ok" : "info"}`}>
                <Icon name={done ? "check" : icon} />
              </span>
              <div>
                <div className="line">
                  <h3>{title}</h3>
                  {done && <Badge tone="ok">Done</Badge>}
                </div>
                <p className="muted small">{about}</p>
                <a className={`button${index === 0 && !done ? " primary" : ""}`} href={href}>
                  {label}
                </a>
              </div>
            </li>
          ))}
      </ol>
    </section>
  );
}

/** Hidden at once, and for good once the server has it. */
function useHiding(onHide: () => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => answer(api.PUT("/api/v1/user/settings", { body: { [HIDDEN]: true } })),
    onSuccess: (settings) => {
      queries.setQueryData(["user", "settings"], settings);
      onHide();
    },
    onError: (error) => notify({ type: "error", title: "This could not be hidden", message: error.message }),
  });
}
