import { useEffect, useRef } from 'react';
import classes from './dockerfile-view.module.css';

const keyword = /^(\s*)([A-Za-z]+)(\s[\s\S]*)?$/;

interface Line {
  text: string;
  isComment: boolean;
  /** Of the first line of an instruction; empty in others. */
  word: string;
  indent: string;
  rest: string;
}

function linesOf(dockerfile: string): Line[] {
  const lines: Line[] = [];
  let continued = false;
  for (const text of dockerfile.replace(/\n$/, '').split('\n')) {
    const isComment = /^\s*#/.test(text);
    const [, indent = '', word = '', rest = ''] = (!isComment && !continued && keyword.exec(text)) || [];
    if (!isComment) continued = /\\\s*$/.test(text);
    lines.push({ text, isComment, word, indent, rest });
  }
  return lines;
}

/** A Dockerfile with its lines' numbers, and those that failed marked. */
export function DockerfileView({ text, failed }: { text: string; failed?: readonly [number, number] }) {
  const marked = useRef<HTMLLIElement>(null);
  useEffect(() => {
    void marked.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  return (
    <ol className={classes['lines']} aria-label="Dockerfile" tabIndex={0}>
      {linesOf(text).map((line, index) => {
        const n = index + 1;
        const isFailed = failed !== undefined && n >= failed[0] && n <= failed[1];
        const { isComment, indent, word, rest } = line;
        return (
          <li key={n} ref={isFailed && n === failed[0] ? marked : undefined} data-failed={isFailed || undefined}>
            {word === '' ? (
              <span className={isComment ? classes['comment'] : undefined}>{line.text}</span>
            ) : (
              <span>
                {indent}
                <b>{word}</b>
                {rest}
              </span>
            )}
            {isFailed && n === failed[0] && <em>failed here</em>}
          </li>
        );
      })}
    </ol>
  );
}
