import { Board } from "./board/Board";
import { Endings } from "./Endings";
import { Header, OutageBanner } from "./Header";
import { SignIn } from "./pages/SignIn";
import { Toasts } from "./toasts";
import { useLive, useLiveContext } from "./api/useLive";

export function App() {
  const phase = useLive((state) => state.status.phase);
  const { connection } = useLiveContext();
  if (phase === "signed-out") return <SignIn onSignedIn={connection.retry} />;
  return (
    <>
      <a className="skip" href="#main">
        Skip to the dashboard
      </a>
      <div className="page">
        <Header />
        <OutageBanner />
        <Board />
      </div>
      <Endings />
      <Toasts />
    </>
  );
}
