import { Board } from "../board/Board";
import { PageHead } from "../shell/PageHead";

export default function Home() {
  return (
    <>
      <PageHead title="Dashboard" about="Models, downloads and machines at a glance." />
      <Board />
    </>
  );
}
