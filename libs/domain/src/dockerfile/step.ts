import { requestFields } from '../builds/build-request.ts';
import { type Fault, fieldFault } from '../errors/fault.ts';

/** One instruction of a Dockerfile, with its place in the file and in its stage. */
export interface Step {
  keyword: string;
  /** Flags in front of the arguments, e.g. `--from=x`. */
  flags: { name: string; value: string }[];
  /** Flags and arguments: continuations joined, comment lines dropped; here-documents follow line by line. */
  text: string;
  /** The same without the flags. */
  operands: string;
  /** First and last line in the file, from 1. */
  lines: [number, number];
  /**
   * Number of its stage from 1, and of the instruction in its stage from 1; 0 and 0 for an ARG before the first FROM.
   */
  stage: number;
  index: number;
  /** What a FROM starts from, with its variables filled in: an image, `scratch`, or an earlier stage. */
  from?: string;
  /** `os/architecture` of the stage that a FROM begins. */
  platform?: string | undefined;
  /** Images that it takes files from. */
  uses: string[];
}

/** A step as errors name it. */
export const stepDetails = ({ keyword, text, lines }: Step): { step: string; lines: [number, number] } => ({
  step: `${keyword} ${text}`.slice(0, 2000).toWellFormed(),
  lines,
});

export const keywords = new Set([
  'ADD', 'ARG', 'CMD', 'COPY', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'FROM', 'HEALTHCHECK', 'LABEL', 'MAINTAINER', 'ONBUILD', 'RUN',
  'SHELL', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR',
]); // prettier-ignore

export const invalid = (line: number, why: string): Fault =>
  fieldFault('DockerfileInvalid', requestFields.dockerfile, `line ${line}: ${why}`, { lines: [line, line] });
