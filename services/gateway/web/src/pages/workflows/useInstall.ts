import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { useLiveContext } from "../../api/useLive";
import type { Choices, Installable, Installation } from "./asked";
import { decided, valid } from "./Planned";

interface Asked {
  of: Installable;
  /** What the plan is for; another list is another plan. Empty: nothing is asked. */
  missing: readonly string[];
  onDone: (outcome: Installation) => void;
}

/** The plan of what is missing, what a person chose in it, and its installation. */
export function useInstall({ of, missing, onDone }: Asked) {
  const { connection } = useLiveContext();
  const [choices, setChoices] = useState<Choices>({});
  const [hashing, setHashing] = useState<readonly string[]>([]);
  const plan = useQuery({
    queryKey: [...of.key, ...missing],
    queryFn: ({ signal }) => of.plan({ onWait: setHashing, signal }),
    enabled: missing.length > 0,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 0,
    gcTime: 0,
    refetchOnReconnect: false,
  });
  const install = useMutation({
    mutationFn: () => of.install(valid(choices), { onWait: setHashing }),
    onSuccess: onDone,
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
    },
    networkMode: "always",
  });
  const files = missing.length > 0 ? (plan.data?.files ?? []) : [];
  return {
    plan,
    files,
    volumes: missing.length > 0 ? (plan.data?.volumes ?? []) : [],
    choices,
    choose: (path: string, choice: string) => setChoices(({ [path]: _, ...rest }) => (choice ? { ...rest, [path]: choice } : rest)),
    todo: decided(files, choices),
    hashing,
    install,
  };
}

export type Installing = ReturnType<typeof useInstall>;
