import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { Icon } from "../../icons";

const OWN = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Whether a person at this browser can open it: an address of the gateway's own machine is nowhere from elsewhere. */
function isReachable(url: string): boolean {
  return URL.canParse(url) && (OWN.test(location.hostname) || !OWN.test(new URL(url).hostname));
}

/** Where the workflow can run, when a ComfyUI is configured (MODELDECK_COMFYUI_URL). */
export function OpenComfyui() {
  const { data } = useQuery({ queryKey: ["health"], queryFn: () => answer(api.GET("/api/v1/system/health")), retry: 1, staleTime: 60_000 });
  const url = data?.comfyui_url;
  if (!url || !isReachable(url)) return null;
  return (
    <a className="button primary" href={url} target="_blank" rel="noreferrer">
      <Icon name="external" />
      Open ComfyUI
    </a>
  );
}
