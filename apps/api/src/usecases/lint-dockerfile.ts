import { checkRules, Fault, parseDockerfile } from '@kiln/domain';

export interface Finding {
  severity: 'error' | 'warning';
  /** From 1. */
  line: number;
  /** BuildKit's name of the rule, if it is one of its linter's. */
  rule?: string;
  message: string;
}

/**
 * What a submission would say of a Dockerfile, and what BuildKit's linter does.
 * @param hasContext whether there are files to copy
 */
export function lintDockerfile(
  text: string,
  hasContext = false,
): { findings: Finding[]; steps: number; images: string[] } {
  try {
    const parsed = parseDockerfile(text, { hasContext });
    const { steps, images } = parsed;
    const own = parsed.warnings.map(placed);
    // Of a secret, Kiln's own words name the way out.
    const rules = checkRules(text, parsed).filter(
      ({ rule, line }) => rule !== 'SecretsUsedInArgOrEnv' || !own.some((it) => it.line === line),
    );
    const findings = [...own, ...rules].sort((a, b) => a.line - b.line);
    return {
      findings: findings.map((it) => ({ severity: 'warning' as const, ...it })),
      steps: steps.length,
      images: [...new Set(images)],
    };
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
