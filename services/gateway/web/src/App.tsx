import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef } from "react";
import { whySignedOut } from "./api/session";
import { useConnection, useLive, useLiveContext } from "./api/useLive";
import { Endings } from "./Endings";
import { Own } from "./Own";
import { pageAt, pages } from "./pages/paths";
import { navigate, takeLinks, usePath } from "./router";
import { Banners } from "./shell/Banners";
import { Header } from "./shell/Header";
import { Navigation } from "./shell/Navigation";
import { PageFrame } from "./shell/PageFrame";
import { listenToKeys, useShortcuts } from "./shell/shortcuts";
import { Toasts } from "./toasts";
import { Boundary } from "./ui";

const SignIn = lazy(() => import("./pages/SignIn"));
/** Whether somebody was signed in here last: only then the pages are shown before the gateway has said so. */
const KNOWN = "modeldeck.signed-in";

export function App() {
  const { phase, trouble } = useConnection();
  const issuer = useLive((state) => state.status.sign_in);
  const { connection, store } = useLiveContext();
  useEffect(() => {
    if (location.pathname === "/dashboard") navigate("/", { replace: true });
    return takeLinks((path) => pageAt(path) !== undefined);
  }, []);
  useEffect(listenToKeys, []);
  // Every page shows what runs; it is wanted before anybody is signed in, so that the stream can say whether one is.
  useEffect(() => store.follow("queue"), [store]);
  const queries = useQueryClient();
  const wasLive = useRef(false);
  useEffect(() => {
    // Another person may sign in next.
    if (phase === "signed-out") queries.clear();
    if (phase === "signed-out") localStorage.removeItem(KNOWN);
    if (phase === "live") localStorage.setItem(KNOWN, "yes");
    if (phase === "live") wasLive.current = true;
  }, [phase, queries]);
  if (phase === "signed-out") {
    const why = whySignedOut() || (wasLive.current ? "Your session has ended. Sign in again, and you are back on this page." : "");
    return (
      <Boundary title="Sign in">
        <Suspense fallback={null}>
          <SignIn issuer={issuer} why={why} onSignedIn={connection.retry} />
        </Suspense>
      </Boundary>
    );
  }
  return <Shell unsure={phase === "connecting" && !trouble && localStorage.getItem(KNOWN) === null} />;
}

function Shell({ unsure }: { unsure: boolean }) {
  const path = usePath();
  useShortcuts(pages.map((page) => ({ keys: `g ${page.key}`, does: `Go to ${page.title}`, run: () => navigate(page.path) })));
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <div className="shell" data-unsure={unsure || undefined}>
        <Header />
        <Navigation path={path} />
        <div className="content">
          <Banners />
          <PageFrame path={path} />
        </div>
      </div>
      <Endings />
      <Own />
      <Toasts />
    </>
  );
}
