import { Center, Loader } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { whenSignedOut } from './api/api-client.ts';
import { BuildsPage } from './builds/builds-page.tsx';
import { ErrorBoundary } from './components/error-boundary.tsx';
import { Empty, Failed, Loading } from './components/page-state.tsx';
import { changeSession, isAtLeast, SessionContext, runsInstallation, useSessionQuery } from './session/session.ts';
import { SignIn } from './session/sign-in.tsx';
import { Shell } from './shell/shell.tsx';

const OverviewPage = lazy(() => import('./overview/overview-page.tsx'));
const BuildPage = lazy(() => import('./build/build-page.tsx'));
const NewBuildPage = lazy(() => import('./new-build/new-build-page.tsx'));
const ImagesPage = lazy(() => import('./images/images-page.tsx'));
const ImagePage = lazy(() => import('./images/image-page.tsx'));
const DriftPage = lazy(() => import('./images/drift-page.tsx'));
const PackagesPage = lazy(() => import('./images/packages-page.tsx'));
const RetentionPage = lazy(() => import('./retention/retention-page.tsx'));
const CampaignsPage = lazy(() => import('./campaigns/campaigns-page.tsx'));
const NewCampaignPage = lazy(() => import('./campaigns/new-campaign-page.tsx'));
const CampaignPage = lazy(() => import('./campaigns/campaign-page.tsx'));
const QueuesPage = lazy(() => import('./operators/queues-page.tsx'));
const WorkersPage = lazy(() => import('./operators/workers-page.tsx'));
const SettingsPage = lazy(() => import('./settings/settings-page.tsx'));

export function App() {
  const client = useQueryClient();
  const session = useSessionQuery();
  const [location] = useLocation();
  useEffect(() => whenSignedOut(() => changeSession(client, null)), [client]);
  if (session.isPending)
    return (
      <Center mih="100vh">
        <Loader aria-label="Loading" />
      </Center>
    );
  if (session.isError) return <Failed error={session.error} again={() => void session.refetch()} />;
  if (!session.data) return <SignIn />;
  const operates = isAtLeast(session.data, 'operator');
  return (
    <SessionContext value={session.data}>
      <Shell>
        <ErrorBoundary key={location}>
          <Suspense fallback={<Loading />}>
            <Switch>
              <Route path="/" component={OverviewPage} />
              <Route path="/builds" component={BuildsPage} />
              <Route path="/builds/new" component={NewBuildPage} />
              <Route path="/builds/campaigns" component={operates ? CampaignsPage : NoSuchPage} />
              <Route path="/builds/campaigns/new" component={operates ? NewCampaignPage : NoSuchPage} />
              <Route path="/builds/campaigns/:id">
                {({ id }) => (operates ? <CampaignPage key={id} id={id} /> : <NoSuchPage />)}
              </Route>
              <Route path="/builds/:id">{({ id }) => <BuildPage key={id} id={id} />}</Route>
              <Route path="/images" component={ImagesPage} />
              <Route path="/images/drift" component={DriftPage} />
              <Route path="/images/packages" component={PackagesPage} />
              <Route path="/images/retention" component={RetentionPage} />
              <Route path="/images/:id">{({ id }) => <ImagePage key={id} id={id} />}</Route>
              {runsInstallation(session.data) && <Route path="/queues" component={QueuesPage} />}
              {runsInstallation(session.data) && <Route path="/workers" component={WorkersPage} />}
              <Route path="/settings" component={SettingsPage} />
              <Route component={NoSuchPage} />
            </Switch>
          </Suspense>
        </ErrorBoundary>
      </Shell>
    </SessionContext>
  );
}

const NoSuchPage = () => (
  <Empty title="There is no such page">
    It may be one that your role does not have. The menu shows those that there are.
  </Empty>
);
