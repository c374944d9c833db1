import { ActionIcon, Button, Checkbox, Group, Select, Text, TextInput, Tooltip } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconDownload, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import Anser from 'anser';
import { type KeyboardEvent, memo, useEffect, useMemo, useRef, useState } from 'react';
import type { Step } from '../api/replies.ts';
import type { LogLine, LogState, LogView as View } from './followed-log.ts';
import classes from './log-view.module.css';

const lineHeight = 20;
const states: Record<LogState, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  ended: 'Complete',
  lost: 'Cut off; reload to go on',
};

/** `#L12` or, of another attempt than the first, `#L2.12`; lines count from 1 for people. */
const hashOf = (attempt: number, n: number): string => `#L${attempt === 1 ? '' : `${attempt}.`}${n + 1}`;
function placeInHash(): { attempt: number; n: number } | undefined {
  const [, attempt = '1', line] = /^#L(?:(\d+)\.)?(\d+)$/.exec(location.hash) ?? [];
  return line === undefined ? undefined : { attempt: Number(attempt), n: Number(line) - 1 };
}

export interface LogPlace {
  attempt: number;
  line: number;
}

/**
 * An attempt's log: only the lines in sight are drawn, however many there are.
 * @param goTo a place that was asked for from elsewhere on the page
 */
export function LogView({
  buildId,
  log,
  onAttempt,
  attempts,
  steps,
  goTo,
  onWent,
}: {
  buildId: string;
  log: View;
  /** Told which attempt is looked at. */
  onAttempt: (attempt: number) => void;
  attempts: number;
  steps: Step[];
  goTo: LogPlace | undefined;
  /** Told when that place was gone to. */
  onWent: () => void;
}) {
  const [linked, setLinked] = useState(placeInHash);
  const [picked, setPicked] = useState<number | undefined>(linked?.attempt);
  const [follow, setFollow] = useState(linked === undefined);
  const [wrap, setWrap] = useState(true);
  const [sought, setSought] = useState('');
  const [match, setMatch] = useState(0);
  const attempt = picked ?? Math.max(1, attempts, log.attempt);
  const lines = log.linesOf(attempt);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => lineHeight,
    overscan: 20,
  });
  const count = lines.length;
  const matches = useMemo(() => findLines(lines, sought, count), [lines, sought, count]);

  useEffect(() => onAttempt(attempt), [onAttempt, attempt]);
  useEffect(() => {
    rows.measure();
  }, [wrap, rows]);
  useEffect(() => {
    if (follow && count > 0) rows.scrollToIndex(count - 1, { align: 'end' });
  }, [follow, count, rows]);
  const reached = linked !== undefined && linked.attempt === attempt && count > linked.n;
  useEffect(() => {
    if (reached && linked) rows.scrollToIndex(linked.n, { align: 'center' });
  }, [reached, linked, rows]);
  useEffect(() => {
    if (!goTo) return;
    setPicked(goTo.attempt);
    setFollow(false);
    const { line } = goTo;
    requestAnimationFrame(() => rows.scrollToIndex(line, { align: 'start' }));
    box.current?.focus();
    onWent();
  }, [goTo, onWent, rows]);
  useEffect(() => {
    const change = () => {
      const place = placeInHash();
      setLinked(place);
      if (place) setPicked(place.attempt);
      setFollow(place === undefined);
    };
    window.addEventListener('hashchange', change);
    return () => window.removeEventListener('hashchange', change);
  }, []);
  const first = matches[0];
  useEffect(() => {
    if (sought === '' || first === undefined) return;
    setFollow(false);
    rows.scrollToIndex(first, { align: 'center' });
  }, [sought, first, rows]);
  const followEnd = (wanted: boolean) => {
    setFollow(wanted);
    // The end is that of the newest attempt.
    if (wanted) setPicked(undefined);
  };
  const leaveEnd = () => setFollow(false);
  const onLogKey = (event: KeyboardEvent) => {
    if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) leaveEnd();
  };

  const seek = (step: number) => {
    if (matches.length === 0) return;
    const next = (match + step + matches.length) % matches.length;
    setMatch(next);
    setFollow(false);
    rows.scrollToIndex(matches[next] ?? 0, { align: 'center' });
  };
  const onSearchKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    seek(event.shiftKey ? -1 : 1);
  };
  const link = (n: number) => {
    history.replaceState(history.state, '', hashOf(attempt, n));
    setLinked({ attempt, n });
    setFollow(false);
  };
  const current = matches[match];
  const stepsHere = steps.filter((it) => it.Attempt === attempt);
  return (
    <section aria-label="Log" className={classes['log']}>
      <Group gap="xs" p="xs" className={classes['bar']}>
        <TextInput
          size="xs"
          aria-label="Search in the log"
          placeholder="Search in the log"
          leftSection={<IconSearch size={14} aria-hidden />}
          value={sought}
          onChange={(event) => {
            setSought(event.currentTarget.value);
            setMatch(0);
          }}
          onKeyDown={onSearchKey}
          style={{ flex: '1 1 160px' }}
        />
        {sought !== '' && (
          <Group gap={4} wrap="nowrap">
            <Text size="xs" role="status">
              {matches.length === 0 ? 'not found' : `${match + 1} of ${matches.length}`}
            </Text>
            <ActionIcon variant="default" aria-label="Match before" onClick={() => seek(-1)}>
              <IconArrowUp size={14} />
            </ActionIcon>
            <ActionIcon variant="default" aria-label="Next match" onClick={() => seek(1)}>
              <IconArrowDown size={14} />
            </ActionIcon>
          </Group>
        )}
        {attempts > 1 && (
          <Select
            size="xs"
            aria-label="Attempt"
            w={120}
            allowDeselect={false}
            data={Array.from({ length: attempts }, (_, n) => ({ value: String(n + 1), label: `Attempt ${n + 1}` }))}
            value={String(attempt)}
            onChange={(value) => setPicked(Number(value))}
          />
        )}
        {stepsHere.length > 0 && (
          <Select
            size="xs"
            aria-label="Go to a step"
            placeholder="Go to a step"
            w={190}
            data={stepsHere.map((it) => ({
              value: String(it.LogLine),
              label: `${it.Step}. ${it.Instruction.slice(0, 60)}`,
            }))}
            value={null}
            onChange={(value) => {
              if (value === null) return;
              setFollow(false);
              rows.scrollToIndex(Number(value), { align: 'start' });
            }}
          />
        )}
        <Checkbox
          size="xs"
          label="Follow"
          checked={follow}
          onChange={(event) => followEnd(event.currentTarget.checked)}
        />
        <Checkbox size="xs" label="Wrap" checked={wrap} onChange={(event) => setWrap(event.currentTarget.checked)} />
        <Tooltip label="The log as text">
          <ActionIcon
            component="a"
            variant="default"
            aria-label="Download the log as text"
            href={`/api/v1/imagebuilds/${buildId}/logs?Format=text&Attempt=${attempt}${log.state === 'ended' ? '&Follow=true' : '&Limit=100000'}`}
            download={`${buildId}-${attempt}.log`}
          >
            <IconDownload size={14} />
          </ActionIcon>
        </Tooltip>
        <Text size="xs" c="dimmed" role="status" className={classes['state']} data-state={log.state}>
          {states[log.state]}
        </Text>
      </Group>
      <div
        ref={box}
        className={`${classes['lines'] ?? ''} ${wrap ? (classes['wrap'] ?? '') : ''}`}
        tabIndex={0}
        role="log"
        aria-label={`Log of attempt ${attempt}`}
        aria-live="off"
        onWheel={(event) => event.deltaY < 0 && leaveEnd()}
        onTouchMove={leaveEnd}
        onKeyDown={onLogKey}
        // Its own bar, and not a line in it.
        onPointerDown={(event) => event.target === event.currentTarget && leaveEnd()}
      >
        {count === 0 && <p className={classes['nothing']}>Nothing is logged yet.</p>}
        <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
          {rows.getVirtualItems().map((it) => {
            const line = lines[it.index];
            if (!line) return null;
            return (
              <div
                key={it.key}
                ref={rows.measureElement}
                data-index={it.index}
                className={`${classes['line'] ?? ''} ${linked?.attempt === attempt && linked.n === line.n ? (classes['linked'] ?? '') : ''} ${current === it.index ? (classes['match'] ?? '') : ''}`}
                style={{ transform: `translateY(${it.start}px)` }}
              >
                <a
                  href={hashOf(attempt, line.n)}
                  className={classes['number']}
                  onClick={(event) => {
                    event.preventDefault();
                    link(line.n);
                  }}
                  aria-label={`Line ${line.n + 1}`}
                  // By the keyboard one comes to the line that was searched for, and not through all of them.
                  tabIndex={current === it.index || linked?.n === line.n ? 0 : -1}
                >
                  {line.n + 1}
                </a>
                <Coloured text={line.text} />
              </div>
            );
          })}
        </div>
      </div>
      {!follow && log.state === 'live' && (
        <Button
          size="xs"
          className={classes['end']}
          onClick={() => followEnd(true)}
          leftSection={<IconArrowDown size={14} aria-hidden />}
        >
          Follow the end
        </Button>
      )}
    </section>
  );
}

function findLines(lines: readonly LogLine[], sought: string, count: number): number[] {
  if (sought === '') return [];
  const wanted = sought.toLowerCase();
  const found: number[] = [];
  for (let n = 0; n < count && found.length < 10_000; n += 1) if (lines[n]?.plain.includes(wanted)) found.push(n);
  return found;
}

/** A line with its colours; what else a terminal would do, the api has taken out. */
const Coloured = memo(function Coloured({ text }: { text: string }) {
  if (!text.includes('\u001b')) return <span className={classes['text']}>{text}</span>;
  const parts = Anser.ansiToJson(text, { use_classes: true, remove_empty: true });
  return (
    <span className={classes['text']}>
      {parts.map((it, n) => (
        <span
          key={n}
          data-fg={it.fg || undefined}
          data-bg={it.bg || undefined}
          data-bold={it.decorations.includes('bold') || undefined}
        >
          {it.content}
        </span>
      ))}
    </span>
  );
});
