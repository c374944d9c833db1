import { useEffect, useRef } from 'react';
import classes from './dockerfile-view.module.css';

const keyword = /^(\s*)([A-Za-z]+)(\s[\s\S]*)?$/;

/** A Dockerfile with its lines' numbers, and those that failed marked. */
export function DockerfileView({ text, failed }: { text: string; failed?: readonly [number, number] }) {
  const marked = useRef<HTMLLIElement>(null);
  useEffect(() => {
    void marked.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const lines = text.replace(/\n$/, '').split('\n');
  let continued = false;
  return (
    <ol className={classes['lines']} aria-label="Dockerfile" tabIndex={0}>
      {lines.map((line, index) => {
        const n = index + 1;
        const isFailed = failed !== undefined && n >= failed[0] && n <= failed[1];
        const isComment = /^\s*#/.test(line);
        const [, indent = '', word = '', rest = ''] = (!isComment && !continued && keyword.exec(line)) || [];
        if (!isComment) continued = /\\\s*$/.test(line);
        return (
          <li key={n} ref={isFailed && n === failed[0] ? marked : undefined} data-failed={isFailed || undefined}>
            {word === '' ? (
              <span className={isComment ? classes['comment'] : undefined}>{line}</span>
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
