ALTER TABLE "access_keys" ADD COLUMN "scopes" text[];--> statement-breakpoint
ALTER TABLE "access_keys" ADD COLUMN "last_used_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "scopes" text[];--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "last_used_at" timestamp with time zone;--> statement-breakpoint
UPDATE "users" SET "role" = 'developer' WHERE "role" = 'member';
