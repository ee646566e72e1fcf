import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useLive, useLiveContext } from "./api/useLive";
import { Endings } from "./Endings";
import { pageAt, pages } from "./pages/paths";
import { SignIn } from "./pages/SignIn";
import { navigate, takeLinks, usePath } from "./router";
import { Header, OutageBanner } from "./shell/Header";
import { Navigation } from "./shell/Navigation";
import { PageFrame } from "./shell/PageFrame";
import { listenToKeys, useShortcuts } from "./shell/shortcuts";
import { Toasts } from "./toasts";

export function App() {
  const phase = useLive((state) => state.status.phase);
  const { connection, store } = useLiveContext();
  useEffect(() => {
    if (location.pathname === "/dashboard") navigate("/", { replace: true });
    return takeLinks((path) => pageAt(path) !== undefined);
  }, []);
  useEffect(listenToKeys, []);
  // Every page shows what runs; it is wanted before anybody is signed in, so that the stream can say whether one is.
  useEffect(() => store.follow("queue"), [store]);
  const queries = useQueryClient();
  useEffect(() => {
    // Another person may sign in next.
    if (phase === "signed-out") queries.clear();
  }, [phase, queries]);
  if (phase === "signed-out") return <SignIn onSignedIn={connection.retry} />;
  return <Shell />;
}

function Shell() {
  const path = usePath();
  useShortcuts(pages.map((page) => ({ keys: `g ${page.key}`, does: `Go to ${page.title}`, run: () => navigate(page.path) })));
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <div className="shell">
        <Header />
        <Navigation path={path} />
        <div className="content">
          <OutageBanner />
          <PageFrame path={path} />
        </div>
      </div>
      <Endings />
      <Toasts />
    </>
  );
}
