import { render } from 'preact';
import { startKeys } from './lib/keys.js';
import { useLive } from './lib/live.js';
import { place, startRouter } from './lib/router.js';
import { session, sessionError, startSession } from './lib/session.js';
import { applyTheme } from './lib/theme.js';
import { showHidden } from './lib/visible.js';
import { AppPage } from './pages/app.js';
import { AuditPage } from './pages/audit.js';
import { DeadLetterGroupsPage, DeadLettersPage } from './pages/dead-letters.js';
import { DelayedPage } from './pages/delayed.js';
import { FaultsPage } from './pages/faults.js';
import { GroupPage } from './pages/group.js';
import { GroupsPage } from './pages/groups.js';
import { MessagePage } from './pages/message.js';
import { OverviewPage } from './pages/overview.js';
import { SchedulePage } from './pages/schedule.js';
import { TopicPage } from './pages/topic.js';
import { TopicsPage } from './pages/topics.js';
import { TransactionsPage } from './pages/transactions.js';
import { ChangeDialog } from './ui/change.js';
import { Help } from './ui/help.js';
import { Empty, Failure, Head, Loading } from './ui/parts.js';
import { Rail } from './ui/rail.js';
import { TimeBar } from './ui/time-bar.js';

function App() {
  const { parts } = place.value;
  const error = sessionError.value;
  const known = session.value;
  return (
    <div class="shell">
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Rail parts={parts} />
      <div class="page">
        {known?.has.time === true && <TimeBar />}
        <main id="content" tabIndex={-1}>
          {known !== undefined && <Page parts={parts} />}
          {known === undefined && (error === undefined ? <Loading /> : <Failure error={error} />)}
        </main>
      </div>
      <ChangeDialog />
      <Help />
    </div>
  );
}

function Page({ parts }: { readonly parts: readonly string[] }) {
  const [section, name, part, id] = parts;
  // The pages that follow something open the stream themselves.
  const isOwnStream = (section === 'topics' && name !== undefined) || (section === 'groups' && name !== undefined);
  useLive(isOwnStream ? undefined : {});
  if (section === undefined) return <OverviewPage />;
  if (section === 'topics') {
    if (name === undefined) return <TopicsPage />;
    if (part === undefined) return <TopicPage key={name} topic={name} />;
    if (part === 'messages' && id !== undefined) return <MessagePage key={id} topic={name} messageId={id} />;
  }
  if (section === 'groups') {
    if (name === undefined) return <GroupsPage />;
    if (part === undefined) return <GroupPage key={name} group={name} />;
    if (part === 'dead-letters') return <DeadLettersPage key={name} group={name} />;
  }
  if (section === 'dead-letters') return <DeadLetterGroupsPage />;
  if (section === 'delayed') return <DelayedPage />;
  if (section === 'transactions') return <TransactionsPage />;
  if (section === 'app') return <AppPage />;
  if (section === 'schedule') return <SchedulePage />;
  if (section === 'faults') return <FaultsPage />;
  if (section === 'audit') return <AuditPage />;
  return (
    <>
      <Head title="Not found" />
      <div class="panel">
        <Empty title="There is no such page">Check the address, or go on with one of the pages listed beside it.</Empty>
      </div>
    </>
  );
}

showHidden();
applyTheme();
startRouter();
startKeys();
void startSession();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
