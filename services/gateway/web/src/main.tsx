import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { connect, LiveStore } from "./api/live";
import { signInFromAddress } from "./api/session";
import { LiveContext } from "./api/useLive";
import { App } from "./App";
import "./styles.css";
import { startScheme } from "./theme";

startScheme();
try {
  await signInFromAddress();
} catch (error) {
  // A wrong or old token in the link: the sign-in page follows from the refused stream.
  if (!(error instanceof ApiError)) throw error;
}

const store = new LiveStore();
const connection = connect(store);
const queries = new QueryClient({ defaultOptions: { queries: { networkMode: "always", refetchOnWindowFocus: false } } });
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LiveContext value={{ store, connection }}>
        <App />
      </LiveContext>
    </QueryClientProvider>
  </StrictMode>,
);
