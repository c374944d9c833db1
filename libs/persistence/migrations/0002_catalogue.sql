CREATE TABLE "image_groups" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"host" text NOT NULL,
	"repository" text NOT NULL,
	"read_me" text DEFAULT '' NOT NULL,
	"tags" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tallies" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "tallies_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"list" text NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"visibility" text NOT NULL,
	"status" text NOT NULL,
	"service_type" text,
	"day" date,
	"n" bigint NOT NULL
);
--> statement-breakpoint
DROP INDEX "builds_newest";--> statement-breakpoint
DROP INDEX "images_workspace_newest";--> statement-breakpoint
DROP INDEX "images_project_newest";--> statement-breakpoint
DROP INDEX "images_unfinished";--> statement-breakpoint
DROP INDEX "images_registered";--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "job_deleted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "access_keys" ADD COLUMN "security_token_hash" text;--> statement-breakpoint
ALTER TABLE "access_keys" ADD COLUMN "expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "access_key_id" text;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "project_id" text;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "public_by_id" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "via" text;--> statement-breakpoint
UPDATE "images" SET "via" = CASE WHEN "build_id" IS NULL THEN 'modelarts' ELSE 'build' END;--> statement-breakpoint
ALTER TABLE "images" ALTER COLUMN "via" SET NOT NULL;--> statement-breakpoint
UPDATE "images" SET "public_by_id" = ("visibility" = 'PUBLIC' AND "via" = 'modelarts');--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "registry_connection_id" text;--> statement-breakpoint
UPDATE "images" i SET "registry_connection_id" = b."registry_connection_id" FROM "builds" b WHERE b."id" = i."build_id";--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "group_id" uuid;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "pending" boolean DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE "images" SET "pending" = ("status" IN ('INIT', 'CREATING'));--> statement-breakpoint
CREATE UNIQUE INDEX "image_groups_repository" ON "image_groups" USING btree ("workspace_id","host","repository");--> statement-breakpoint
CREATE INDEX "tallies_list" ON "tallies" USING btree ("list","workspace_id","day");--> statement-breakpoint
CREATE INDEX "image_labels_pair" ON "image_labels" USING btree ("key","value");--> statement-breakpoint
CREATE INDEX "images_group" ON "images" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "images_pending" ON "images" USING btree ("not_before") WHERE "images"."pending";--> statement-breakpoint
CREATE UNIQUE INDEX "images_registered" ON "images" USING btree ("workspace_id","host","repository","tag") WHERE "images"."status" NOT IN ('DELETED', 'CREATE_FAILED') AND "images"."via" = 'modelarts';