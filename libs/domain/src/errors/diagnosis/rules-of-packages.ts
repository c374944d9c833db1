import type { Rule } from './rule.ts';

/** What package managers, compilers and downloads say. */
export const packageRules: readonly Rule[] = [
  {
    name: 'PackageListsMissing',
    // One that updates in the same step has its lists.
    step: /^(?!.*\bapt(?:-get)?\s+(?:-\S+\s+)*update).*\bapt(?:-get)?\s.*install/is,
    says: /E: (?:Unable to locate package|Package) '?([^\s']+)/,
    cause: 'apt found no package $1: there are no package lists in the image.',
    suggestion: 'Run "apt-get update" in the same RUN, before the install.',
  },
  {
    name: 'PackageNotFound',
    says: /E: Unable to locate package (\S+)|E: Package '(\S+)' has no installation candidate/,
    cause: 'The package lists know no package $1.',
    suggestion: 'Look for a slip in its name, and whether this release of the distribution has it.',
  },
  {
    name: 'PackageVersionNotFound',
    says: /E: Version '(\S+)' for '(\S+)' was not found/,
    cause: 'There is no version $1 of package $2.',
    suggestion: 'Leave the version out, or take one that "apt-cache policy $2" lists in this base image.',
  },
  {
    name: 'PackageManagerLocked',
    says: /Could not get lock (\S+?)\.|Unable to (?:lock|acquire the dpkg)/,
    cause: 'Two package managers ran at once: the lock $1 was held.',
    suggestion: 'Do one after the other in a step; do not send apt-get to the background.',
  },
  {
    name: 'RepositoryNotSigned',
    says: /The repository '(.+?)' is not signed|NO_PUBKEY (\w+)/,
    cause: 'apt does not trust the repository $1: its key is not known.',
    suggestion: 'Put its key into /etc/apt/keyrings and name it with signed-by in the source.',
  },
  {
    name: 'RepositoryMissing',
    says: /The repository '(.+?)' does not have a Release file/,
    cause: 'There is no package repository at $1.',
    suggestion: 'Mend its address or the name of the release; old releases move to an archive.',
  },
  {
    name: 'PackageFileMissing',
    says: /E: Failed to fetch (\S+)\s+404/,
    cause: 'The mirror does not have $1 any more: the image’s package lists are old.',
    suggestion: 'Run "apt-get update" in the same RUN as the install.',
  },
  {
    name: 'DependenciesUnmet',
    says: /(?:The following packages have unmet dependencies|held broken packages)/,
    cause: 'Packages that were asked for need others that cannot be installed.',
    suggestion: 'Ask for versions that go together, and do not mix releases in the package sources.',
  },
  {
    name: 'ConfirmationMissing',
    says: /Do you want to continue\? \[Y\/n\] Abort/,
    cause: 'The package manager asked whether to go on, and nobody was there to answer.',
    suggestion: 'Add -y.',
  },
  {
    name: 'PackageScriptFailed',
    says: /dpkg: error processing (?:package|archive) (\S+)/,
    cause: 'Package $1 could not be set up: a script of its own failed, or its file is broken.',
    suggestion:
      'Look at the lines before; packages that start services or ask questions often need DEBIAN_FRONTEND=noninteractive.',
  },
  {
    name: 'VersionConflict',
    says: /ResolutionImpossible|conflicting dependencies|which is incompatible|ERESOLVE/,
    cause: 'What is to be installed asks for versions that exclude each other.',
    suggestion: 'Loosen one of the pins that the lines before name, or take versions that were released together.',
  },
  {
    name: 'EnvironmentManaged',
    says: /externally-managed-environment/,
    cause: 'pip does not install into the Python of the distribution.',
    suggestion:
      'Make an environment first (python3 -m venv /opt/venv; ENV PATH=/opt/venv/bin:$PATH), or take a python base image.',
  },
  {
    name: 'RequirementsMissing',
    says: /Could not open requirements file: .*'([^']+)'/,
    cause: 'There is no requirements file $1 in the image.',
    suggestion: 'Copy the file from the build’s context in an earlier step, write it in a RUN, or list the packages.',
  },
  {
    name: 'ManifestFileMissing',
    says: /(?:npm (?:ERR!|error)|error).*(?:ENOENT|no such file).*(package\.json|pyproject\.toml|setup\.py|Cargo\.toml)|Neither '(setup\.py)' nor/i,
    cause: 'There is no $1 where the package manager looks for it.',
    suggestion: 'Set WORKDIR to the project’s folder, and copy the project there in an earlier step.',
  },
  {
    name: 'DistributionNotFound',
    says: /No matching distribution found for (\S+)|npm (?:ERR!|error) 404\s+.*'([^']+)'/,
    cause: 'The package index has no $1 that fits.',
    suggestion:
      'Look for a slip in name or version, and whether it is made for this Python, this system and this processor.',
  },
  {
    name: 'ModuleMissing',
    says: /(?:ModuleNotFoundError|ImportError): No module named '?([^\s']+)/,
    cause: 'Python has no module $1.',
    suggestion: 'Install it in an earlier step, into the same Python that runs this one.',
  },
  {
    name: 'PythonError',
    says: /^((?:SyntaxError|IndentationError|NameError|TypeError|ValueError|AttributeError|FileNotFoundError): .+)$/,
    cause: 'A Python program failed: $1.',
    suggestion: 'Mend the program at the line that the traceback ends with.',
  },
  {
    name: 'HeaderMissing',
    says: /fatal error: (\S+\.h(?:pp)?): No such file or directory/,
    cause: 'The compiler did not find the header $1.',
    suggestion: 'Install the development package that has it (python3-dev for Python.h; for others lib…-dev).',
  },
  {
    name: 'LibraryMissing',
    says: /cannot find -l(\S+)|error while loading shared libraries: (\S+?):/,
    cause: 'The library $1 is not in the image.',
    suggestion: 'Install the package that has it; to link with it, its -dev package.',
  },
  {
    name: 'CompilerMissing',
    says: /(?:g?cc|g\+\+|c\+\+|make|cmake): (?:command )?not found|command '\S*g?cc\S*' failed: No such file|no acceptable C compiler/,
    cause: 'Something is to be compiled, and the image has no compiler.',
    suggestion: 'Install build-essential first, or take a package that comes compiled.',
  },
  {
    name: 'NothingToMake',
    says: /make: \*\*\* (No targets specified[^.]*|No rule to make target .*?)\./,
    cause: 'make found nothing to do: $1.',
    suggestion: 'Set WORKDIR to where the Makefile is, and mend the name of the target.',
  },
  {
    name: 'CompilationFailed',
    says: /:\d+: (?:fatal )?error: (.+)$|^(?:\S*cc1\w*|nvcc|clang\S*): (?:fatal )?error: (.+)$/,
    cause: 'The compiler refused the source: $1.',
    suggestion: 'Mend the source at the place that the line names.',
  },
  {
    name: 'CertificateRefused',
    says: /SSL certificate problem: (.+)|certificate verify failed: ([^(]+)|(certificate is not trusted)/,
    cause: 'The other side’s certificate was not accepted: $1.',
    suggestion: 'Install ca-certificates; for a CA of your own, add it and run update-ca-certificates.',
  },
  {
    name: 'HostUnknown',
    says: /Could not resolve host: (\S+)|Temporary failure resolving '(\S+?)'|bad address '(\S+?)'|unable to resolve host address .(\S+?).$|Could not resolve '(\S+?)'/,
    cause: 'DNS knows no host $1.',
    suggestion: 'Look for a slip in the name; names of a private network need one of the operator’s network profiles.',
  },
  {
    name: 'DownloadRefused',
    says: /The requested URL returned error: (\d{3})|ERROR (\d{3}): |server returned error: HTTP\/1\.\d (\d{3})|invalid response status (\d{3})/,
    cause: 'The server answered $1 to a download.',
    suggestion:
      'Look whether the address still holds, and whether it needs credentials; a build secret can carry them.',
  },
  {
    name: 'ArchiveBroken',
    says: /not in gzip format|does not look like a tar archive|not a gzip|End-of-central-directory signature not found|invalid (?:tar )?magic/,
    cause: 'What was downloaded is no archive of that kind: often a page that says so.',
    suggestion: 'Download with "curl -fL", so that an error ends the step, and look at what comes.',
  },
  {
    name: 'RepositoryNotGit',
    says: /fatal: (not a git repository|repository '.+' not found|could not read Username)/,
    cause: 'git found no repository there, or may not read it: $1.',
    suggestion: 'Mend the address; for a private repository mount a build secret. A build has no .git of its own.',
  },
];
