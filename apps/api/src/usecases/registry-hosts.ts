import { type CheckRegistryHost, openAddressRules, openHostCheck } from '@kiln/registry';

/** @param opened what the operator opens for registries */
export const openRegistryHostCheck = (opened: readonly string[]): CheckRegistryHost =>
  openHostCheck(openAddressRules(opened));
