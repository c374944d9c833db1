-- The second wall between accounts. Whoever is not the owner of the tables sees the rows of the account that its session names in
-- `kiln.account`, those of all where that is `*`, and none where it is not set. The first wall is that every statement names the
-- account itself.
CREATE FUNCTION anothers_build(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM builds WHERE id = wanted AND account_id IS DISTINCT FROM current_setting('kiln.account', true))
$$;
--> statement-breakpoint
CREATE FUNCTION anothers_image(wanted uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM images WHERE id = wanted AND account_id IS DISTINCT FROM current_setting('kiln.account', true))
$$;
--> statement-breakpoint
DO $$
DECLARE
  owned CONSTANT text[] := ARRAY['users', 'projects', 'workspaces', 'access_keys', 'tokens', 'registry_connections', 'build_secrets',
    'account_shares', 'builds', 'image_groups', 'images', 'tallies', 'audit_log'];
  -- Children are seen with their parents. One may be written in the statement that writes its parent, which is not there to be seen
  -- before it ends: what is refused is a parent of another account.
  children CONSTANT text[][] := ARRAY[
    ['build_attempts', 'builds', 'build_id', 'anothers_build'],
    ['build_phases', 'builds', 'build_id', 'anothers_build'],
    ['build_events', 'builds', 'build_id', 'anothers_build'],
    ['build_log_chunks', 'builds', 'build_id', 'anothers_build'],
    ['image_labels', 'images', 'image_id', 'anothers_image']
  ];
  -- As subselects they are asked once for a statement, not for each row.
  account CONSTANT text := '(SELECT current_setting(''kiln.account'', true))';
  everyone CONSTANT text := account || ' = ''*''';
  name text;
  child text[];
BEGIN
  FOREACH name IN ARRAY owned LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_account ON %I USING (%s OR account_id = %s)', name, everyone, account);
  END LOOP;
  FOREACH child SLICE 1 IN ARRAY children LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child[1]);
    EXECUTE format(
      'CREATE POLICY own_account ON %1$I USING (%2$s OR EXISTS (SELECT 1 FROM %3$I it WHERE it.id = %4$I)) WITH CHECK (%2$s OR NOT %5$I(%4$I))',
      child[1], everyone, child[2], child[3], child[4]);
  END LOOP;
  ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
  EXECUTE format('CREATE POLICY own_account ON accounts USING (%s OR id = %s)', everyone, account);
  ALTER TABLE workspace_members ENABLE ROW LEVEL SECURITY;
  EXECUTE format('CREATE POLICY own_account ON workspace_members USING (%s OR EXISTS (SELECT 1 FROM workspaces it WHERE it.id = workspace_id))', everyone);
END $$;
--> statement-breakpoint
-- What the database keeps by itself is written with its owner's rights: the apps need none to the tables behind it.
ALTER FUNCTION audit_append() SECURITY DEFINER SET search_path = public, pg_temp;--> statement-breakpoint
ALTER FUNCTION join_image_group() SECURITY DEFINER SET search_path = public, pg_temp;--> statement-breakpoint
ALTER FUNCTION tally_image() SECURITY DEFINER SET search_path = public, pg_temp;--> statement-breakpoint
ALTER FUNCTION tally_job() SECURITY DEFINER SET search_path = public, pg_temp;
