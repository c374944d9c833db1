import { useComputedColorScheme } from '@mantine/core';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import {
  bracketMatching,
  defaultHighlightStyle,
  HighlightStyle,
  StreamLanguage,
  syntaxHighlighting,
} from '@codemirror/language';
import { dockerFile } from '@codemirror/legacy-modes/mode/dockerfile';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState, StateField } from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { tags } from '@lezer/highlight';
import type { Lint } from '../api/replies.ts';

const dark = HighlightStyle.define([
  { tag: tags.keyword, color: '#fdac74', fontWeight: '600' },
  { tag: tags.comment, color: '#9ca3af' },
  { tag: [tags.string, tags.special(tags.string)], color: '#86efac' },
  { tag: [tags.variableName, tags.atom, tags.meta], color: '#93c5fd' },
]);

/** Lines that failed before; they stay with their text as it is edited. */
const marks = (lines: readonly [number, number] | undefined) =>
  StateField.define<DecorationSet>({
    create({ doc }) {
      const last = Math.min(lines?.[1] ?? 0, doc.lines);
      const marked = [];
      for (let n = lines?.[0] ?? 1; n <= last; n += 1)
        marked.push(Decoration.line({ class: 'kiln-failed' }).range(doc.line(n).from));
      return Decoration.set(marked);
    },
    update: (now, { changes }) => now.map(changes),
    provide: (field) => EditorView.decorations.from(field),
  });

const lookOf = (scheme: 'light' | 'dark') => [
  syntaxHighlighting(scheme === 'dark' ? dark : defaultHighlightStyle),
  EditorView.theme(
    {
      '&': { border: '1px solid var(--kiln-line)', borderRadius: '6px', fontSize: '13px' },
      '&.cm-focused': { outline: '2px solid light-dark(#b9400f, #fb8a3c)', outlineOffset: '1px' },
      '.cm-scroller': {
        minHeight: 'max(320px, calc(100vh - 380px))',
        maxHeight: '85vh',
        fontFamily: 'var(--mantine-font-family-monospace)',
        lineHeight: '1.6',
      },
      '.cm-gutters': { background: 'transparent', border: 'none', color: scheme === 'dark' ? '#8d949e' : '#6b7280' },
      '.cm-activeLine, .cm-activeLineGutter': { background: 'var(--kiln-soft)' },
      '.cm-placeholder': { color: scheme === 'dark' ? '#9ca3af' : '#6b7280' },
      '.kiln-failed': { background: scheme === 'dark' ? '#3b1413' : '#fee2e2' },
    },
    { dark: scheme === 'dark' },
  ),
];

/** An editor of a Dockerfile. Tab leaves it, as it leaves every field. */
export default function DockerfileEditor({
  label,
  value,
  onChange,
  findings,
  marked,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  findings: Lint['Findings'];
  /** Lines of an earlier failure, from 1. */
  marked?: readonly [number, number];
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const look = useRef(new Compartment());
  const told = useRef(onChange);
  const start = useRef({ value, marked });
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    told.current = onChange;
  }, [onChange]);
  useEffect(() => {
    const parent = place.current;
    if (!parent) return undefined;
    const { value: doc, marked: lines } = start.current;
    const made = new EditorView({
      parent,
      state: EditorState.create({
        doc,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          bracketMatching(),
          highlightActiveLine(),
          EditorView.lineWrapping,
          placeholder('FROM registry.example.com/team/base:v1\nRUN …'),
          StreamLanguage.define(dockerFile),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          EditorView.contentAttributes.of({ 'aria-label': label }),
          EditorView.updateListener.of((update) => update.docChanged && told.current(update.state.doc.toString())),
          look.current.of([]),
          marks(lines),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [label]);
  useEffect(() => {
    view.current?.dispatch({ effects: look.current.reconfigure(lookOf(scheme)) });
  }, [scheme, label]);
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const { doc } = editor.state;
    const diagnostics: Diagnostic[] = findings
      .filter((it) => it.Line <= doc.lines)
      .map((it) => ({
        from: doc.line(it.Line).from,
        to: doc.line(it.Line).to,
        severity: it.Severity,
        message: it.Message,
      }));
    editor.dispatch(setDiagnostics(editor.state, diagnostics));
  }, [findings]);
  return <div ref={place} />;
}
