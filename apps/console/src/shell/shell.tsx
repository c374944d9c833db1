import {
  ActionIcon,
  Anchor,
  AppShell,
  Burger,
  Group,
  Menu,
  NavLink,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconBox,
  IconChartBar,
  IconHammer,
  IconLogout,
  IconMoon,
  IconPlus,
  IconRepeat,
  IconServer2,
  IconSettings,
  IconStack2,
  IconSun,
  IconUserCircle,
} from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { LiveContext, useLiveEvents } from '../api/live-events.ts';
import logo from '../kiln.svg';
import { tellError } from '../components/notifications.ts';
import { Outage } from './outage.tsx';
import classes from './shell.module.css';
import { changeSession, isAtLeast, runsInstallation, useSession } from '../session/session.ts';

const places = [
  { path: '/', label: 'Overview', icon: IconChartBar },
  { path: '/builds', label: 'Builds', icon: IconHammer },
  { path: '/builds/new', label: 'New build', icon: IconPlus, needs: 'developer' },
  { path: '/builds/campaigns', label: 'Campaigns', icon: IconRepeat, needs: 'operator' },
  { path: '/images', label: 'Images', icon: IconBox },
  { path: '/queues', label: 'Queues', icon: IconStack2, needs: 'installation' },
  { path: '/workers', label: 'Workers', icon: IconServer2, needs: 'installation' },
  { path: '/settings', label: 'Settings', icon: IconSettings },
] as const;

export function Shell({ children }: { children: ReactNode }) {
  const session = useSession();
  const live = useLiveEvents();
  const [opened, { toggle, close }] = useDisclosure();
  const [location] = useLocation();
  const offered = places.filter((it) => {
    if (!('needs' in it)) return true;
    return it.needs === 'installation' ? runsInstallation(session) : isAtLeast(session, it.needs);
  });
  // The longest that fits: `/builds/new` is not `/builds`.
  const here = offered
    .filter(({ path }) => location === path || (path !== '/' && location.startsWith(`${path}/`)))
    .sort((a, b) => b.path.length - a.path.length)[0];
  const main = useRef<HTMLElement>(null);
  const last = useRef(location);
  useEffect(() => {
    if (last.current === location) return;
    last.current = location;
    // Another page begins at its top, and for those who listen, with its title.
    window.scrollTo({ top: 0 });
    main.current?.focus({ preventScroll: true });
  }, [location]);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label="Menu"
              aria-expanded={opened}
            />
            <Anchor component={Link} href="/" underline="never" c="inherit" aria-label="Kiln, overview">
              <Group gap={8} wrap="nowrap">
                <img src={logo} width={26} height={26} alt="" />
                <Text fw={700} size="lg">
                  Kiln
                </Text>
              </Group>
            </Anchor>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <SchemeToggle />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages" className={classes['navbar']} data-open={opened || undefined}>
        {offered.map(({ path, label, icon: Icon }) => (
          <NavLink
            key={path}
            component={Link}
            href={path}
            label={label}
            leftSection={<Icon size={18} stroke={1.7} aria-hidden />}
            active={here?.path === path}
            {...(here?.path === path ? { 'aria-current': 'page' as const } : {})}
            onClick={close}
            style={{ borderRadius: 6 }}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main ref={main} tabIndex={-1} className={classes['main']}>
        <Outage />
        <div style={{ maxWidth: 1760, marginInline: 'auto' }}>
          <LiveContext value={live}>{children}</LiveContext>
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const shown = useComputedColorScheme('light');
  const other = shown === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon variant="default" size={34} onClick={() => setColorScheme(other)} aria-label={`Use the ${other} theme`}>
      {shown === 'dark' ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}

function UserMenu() {
  const session = useSession();
  const client = useQueryClient();
  const signOut = useMutation({
    mutationFn: () => answer(api.DELETE('/api/v1/session')),
    onSuccess: () => changeSession(client, null),
    onError: tellError,
  });
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="default" size={34} aria-label={`Signed in as ${session.User}`}>
          <IconUserCircle size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.User} of {session.Account}
          <br />
          {session.Role}
          {session.Operates ? ', runs the installation' : ''}
        </Menu.Label>
        <Menu.Item component="a" href="/docs">
          API reference
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => signOut.mutate()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
