-- Substring search without reading every row.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
-- Lists in order of creation. What decides whether a viewer sees a row lies in the index, so that skipping rows on the
-- way to a page does not read them.
CREATE INDEX images_workspace_newest ON images (workspace_id, created_at, id)
  INCLUDE (account_id, user_id, visibility, status, service_type);
--> statement-breakpoint
CREATE INDEX images_account_newest ON images (account_id, created_at, id)
  INCLUDE (workspace_id, user_id, visibility, status, service_type);
--> statement-breakpoint
CREATE INDEX images_name_part ON images USING gin (name gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX images_repository_part ON images USING gin (repository gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX builds_account_newest ON builds (account_id, created_at, id)
  INCLUDE (workspace_id, user_id, accessibility, state, job_deleted_at);
--> statement-breakpoint
CREATE INDEX builds_workspace_newest ON builds (workspace_id, created_at, id)
  INCLUDE (account_id, user_id, accessibility, state, job_deleted_at);
--> statement-breakpoint
CREATE INDEX builds_state_newest ON builds (account_id, state, created_at, id);
--> statement-breakpoint
CREATE INDEX builds_reference ON builds (account_id, repository, tag);
--> statement-breakpoint
CREATE INDEX builds_image_name_part ON builds USING gin (image_name gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX builds_display_name_part ON builds USING gin (display_name gin_trgm_ops);
--> statement-breakpoint
CREATE FUNCTION join_image_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  LOOP
    SELECT id INTO NEW.group_id FROM image_groups
      WHERE workspace_id = NEW.workspace_id AND host = NEW.host AND repository = NEW.repository;
    EXIT WHEN FOUND;
    INSERT INTO image_groups (id, account_id, workspace_id, host, repository)
      VALUES (gen_random_uuid(), NEW.account_id, NEW.workspace_id, NEW.host, NEW.repository)
      ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN NEW;
END $$;
--> statement-breakpoint
INSERT INTO image_groups (id, account_id, workspace_id, host, repository, created_at)
  SELECT gen_random_uuid(), account_id, workspace_id, host, repository, min(created_at) FROM images
  GROUP BY account_id, workspace_id, host, repository;
--> statement-breakpoint
UPDATE images i SET group_id = g.id FROM image_groups g
  WHERE g.workspace_id = i.workspace_id AND g.host = i.host AND g.repository = i.repository;
--> statement-breakpoint
ALTER TABLE images ALTER COLUMN group_id SET NOT NULL;
--> statement-breakpoint
CREATE TRIGGER images_join_group BEFORE INSERT ON images FOR EACH ROW EXECUTE FUNCTION join_image_group();
--> statement-breakpoint
CREATE FUNCTION tally_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, service_type, n)
      VALUES ('images', OLD.account_id, OLD.workspace_id, OLD.user_id, OLD.visibility, OLD.status, OLD.service_type, -1);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, service_type, n)
      VALUES ('images', NEW.account_id, NEW.workspace_id, NEW.user_id, NEW.visibility, NEW.status, NEW.service_type, 1);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER images_tally AFTER INSERT OR DELETE ON images FOR EACH ROW EXECUTE FUNCTION tally_image();
--> statement-breakpoint
CREATE TRIGGER images_tally_change AFTER UPDATE ON images FOR EACH ROW
  WHEN (ROW (OLD.status, OLD.visibility, OLD.size_bytes, OLD.updated_at)
    IS DISTINCT FROM ROW (NEW.status, NEW.visibility, NEW.size_bytes, NEW.updated_at))
  EXECUTE FUNCTION tally_image();
--> statement-breakpoint
CREATE FUNCTION tally_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.job_deleted_at IS NULL THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, day, n)
      VALUES ('jobs', OLD.account_id, OLD.workspace_id, OLD.user_id, OLD.accessibility, OLD.state,
        (OLD.created_at AT TIME ZONE 'UTC')::date, -1);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.job_deleted_at IS NULL THEN
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, day, n)
      VALUES ('jobs', NEW.account_id, NEW.workspace_id, NEW.user_id, NEW.accessibility, NEW.state,
        (NEW.created_at AT TIME ZONE 'UTC')::date, 1);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER builds_tally AFTER INSERT OR DELETE ON builds FOR EACH ROW EXECUTE FUNCTION tally_job();
--> statement-breakpoint
CREATE TRIGGER builds_tally_change AFTER UPDATE ON builds FOR EACH ROW
  WHEN (ROW (OLD.state, OLD.accessibility, OLD.job_deleted_at) IS DISTINCT FROM ROW (NEW.state, NEW.accessibility, NEW.job_deleted_at))
  EXECUTE FUNCTION tally_job();
--> statement-breakpoint
INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, service_type, n)
  SELECT 'images', account_id, workspace_id, user_id, visibility, status, service_type, count(*) FROM images
  GROUP BY account_id, workspace_id, user_id, visibility, status, service_type;
--> statement-breakpoint
INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, day, n)
  SELECT 'jobs', account_id, workspace_id, user_id, accessibility, state, (created_at AT TIME ZONE 'UTC')::date, count(*)
  FROM builds GROUP BY 1, 2, 3, 4, 5, 6, 7;
