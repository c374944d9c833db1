import { useState } from 'react';
import { useSearchParams } from 'wouter';

/** What a list shows, kept in the address, so that a view can be sent to somebody else. */
export function useAddress() {
  const [search, setSearch] = useSearchParams();
  return {
    field: (name: string): string => search.get(name) ?? '',
    /** Empty values, and `all`, are what an address without them says. Another list begins with its first page. */
    set: (changes: Record<string, string>): void =>
      setSearch(
        (old) => {
          const next = new URLSearchParams(old);
          next.delete('page');
          for (const [key, value] of Object.entries(changes))
            if (value === '' || value === 'all') next.delete(key);
            else next.set(key, value);
          return next;
        },
        { replace: true },
      ),
  };
}

/** Text that is typed, and follows the address when that changes by itself, as by the menu or the way back. */
export function useTyped(given: string): [string, (text: string) => void] {
  const [text, setText] = useState(given);
  const [followed, setFollowed] = useState(given);
  if (followed !== given) {
    setFollowed(given);
    setText(given);
  }
  return [text, setText];
}
