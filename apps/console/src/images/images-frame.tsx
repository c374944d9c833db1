import { Stack, Tabs } from '@mantine/core';
import type { ReactNode } from 'react';
import { useLocation } from 'wouter';
import { Page, useTitle } from '../components/page.tsx';

const tabs = [
  { path: '/images', label: 'Catalogue' },
  { path: '/images/drift', label: 'Drift' },
  { path: '/images/packages', label: 'Packages' },
  { path: '/images/retention', label: 'Retention' },
] as const;

/** The pages about the images of a workspace, with the way from one to the other. */
export function ImagesFrame({ path, children }: { path: (typeof tabs)[number]['path']; children: ReactNode }) {
  const [, go] = useLocation();
  useTitle(path === '/images' ? 'Images' : (tabs.find((it) => it.path === path)?.label ?? ''));
  return (
    <Page title="Images">
      {/* Another tab is another page, which takes the focus: an arrow key alone does not open it. */}
      <Tabs value={path} onChange={(to) => to !== null && go(to)} activateTabWithKeyboard={false} keepMounted={false}>
        <Tabs.List aria-label="Images">
          {tabs.map((it) => (
            <Tabs.Tab key={it.path} value={it.path}>
              {it.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map((it) => (
          <Tabs.Panel key={it.path} value={it.path} pt="md">
            {it.path === path && <Stack gap="lg">{children}</Stack>}
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
