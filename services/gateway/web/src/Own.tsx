import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTopic } from "./api/useLive";

/** What the person changes in another browser is taken over here: whoever reads his settings has the new ones at once. */
export function Own() {
  const settings = useTopic("user")?.data.settings;
  const queries = useQueryClient();
  useEffect(() => {
    if (settings) queries.setQueryData(["user", "settings"], settings);
  }, [settings, queries]);
  return null;
}
