import { parseDockerfile, Fault } from '@kiln/domain';

export interface Finding {
  severity: 'error' | 'warning';
  /** From 1. */
  line: number;
  message: string;
}

/**
 * What a submission would say of a Dockerfile.
 * @param hasContext whether there are files to copy
 */
export function lintDockerfile(
  text: string,
  hasContext = false,
): { findings: Finding[]; steps: number; images: string[] } {
  try {
    const { steps, images, warnings } = parseDockerfile(text, { hasContext });
    const findings = warnings.map((it) => ({ severity: 'warning' as const, ...placed(it) }));
    return { findings, steps: steps.length, images: [...new Set(images)] };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { line, message } = placed(error.message.replace(/^BuildConfig\.Dockerfile: /, ''));
    return {
      findings: [{ severity: 'error', line: error.details.lines?.[0] ?? line, message }],
      steps: 0,
      images: [],
    };
  }
}

/** The parser's words begin with the line that they are about. */
function placed(words: string): { line: number; message: string } {
  const [, line, message] = /^line (\d+): ([\s\S]*)$/.exec(words) ?? [];
  return { line: Number(line ?? 1), message: message ?? words };
}
