import { packageUrl } from './package-url.ts';

const system = { id: 'rhel', version: '9' };

it('names a package as others do', () => {
  const url = (type: 'rpm' | 'deb' | 'npm' | 'pypi', name: string, version: string) =>
    packageUrl({ type, name, version }, system);
  expect(url('rpm', 'openssl-libs', '1:3.0.7-27.el9')).toBe(
    'pkg:rpm/rhel/openssl-libs@3.0.7-27.el9?distro=rhel-9&epoch=1',
  );
  expect(url('rpm', 'bash', '0:5.1.8-9.el9')).toBe('pkg:rpm/rhel/bash@5.1.8-9.el9?distro=rhel-9');
  expect(url('deb', 'zlib1g', '1:1.2.13')).toMatch(/^pkg:deb\/rhel\/zlib1g@1(?::|%3A)1\.2\.13\?distro=rhel-9$/);
  expect(url('npm', '@scope/a', '1.0.0')).toBe('pkg:npm/%40scope/a@1.0.0');
  expect(url('pypi', 'torch', '2.6.0+cu124')).toMatch(/^pkg:pypi\/torch@2\.6\.0(?:\+|%2B)cu124$/);
});
