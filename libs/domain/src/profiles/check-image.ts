import type { InspectedImage } from '../facts/image-facts.ts';
import { checkEnv, checkPorts, checkSize, checkWorkingDir } from './check-config.ts';
import {
  checkCommand,
  checkConda,
  checkEmpty,
  checkFile,
  checkNoFile,
  checkPrograms,
  checkSetuid,
} from './check-files.ts';
import { checkDriver } from './check-driver.ts';
import { checkArchitecture, checkPackages, checkVersion } from './check-software.ts';
import { checkRunAs, checkUser } from './check-users.ts';
import type { Finding } from './findings.ts';
import type { Check, Checked, Profile } from './profile.ts';

const checks: { [K in Check['kind']]: (image: InspectedImage, check: Extract<Check, { kind: K }>) => Finding } = {
  user: checkUser,
  'run-as': checkRunAs,
  size: checkSize,
  'no-file': checkNoFile,
  empty: checkEmpty,
  file: checkFile,
  programs: checkPrograms,
  env: checkEnv,
  'working-dir': checkWorkingDir,
  command: checkCommand,
  ports: checkPorts,
  architecture: checkArchitecture,
  version: checkVersion,
  driver: checkDriver,
  packages: checkPackages,
  conda: checkConda,
  setuid: checkSetuid,
};

/** Holds an image against a profile. */
export function checkImage(image: InspectedImage, { rules }: Profile): Checked[] {
  return rules.map(({ id, title, severity, check, fix, source, categories }) => {
    const work = checks[check.kind] as (image: InspectedImage, check: Check) => Finding;
    const finding = work(image, check);
    return {
      rule: id,
      title,
      severity,
      ...finding,
      ...(finding.result === 'fail' ? { fix } : {}),
      source,
      ...(categories ? { categories } : {}),
    };
  });
}
