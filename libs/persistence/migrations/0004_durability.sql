CREATE TABLE "account_shares" (
	"account_id" text PRIMARY KEY NOT NULL,
	"weight" double precision DEFAULT 1 NOT NULL,
	"running_max" integer,
	"waiting_max" integer,
	"finish_tag" double precision DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "dispatch_state" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"virtual_time" double precision DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "workers" (
	"number" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "workers_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"app" text NOT NULL,
	"slots" integer NOT NULL,
	"store" text DEFAULT '' NOT NULL,
	"draining" boolean DEFAULT false NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "workers_name_unique" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "lane" text DEFAULT 'normal' NOT NULL;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "admitted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "phase_started_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "output_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "quarantined_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "kept_on" text;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "kept_image" text;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "parent_id" text;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "lineage" text;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "worker" text;--> statement-breakpoint
CREATE INDEX "builds_waiting" ON "builds" USING btree ("account_id","lane","created_at","id") WHERE "builds"."state" = 'queued' AND "builds"."admitted_at" IS NULL;--> statement-breakpoint
CREATE INDEX "builds_admitted" ON "builds" USING btree ("announced_at") WHERE "builds"."state" = 'queued' AND "builds"."admitted_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_queued_since" ON "builds" USING btree ("created_at") WHERE "builds"."state" = 'queued';--> statement-breakpoint
CREATE INDEX "builds_parent" ON "builds" USING btree ("parent_id") WHERE "builds"."parent_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_finished" ON "builds" USING btree ("finished_at") WHERE "builds"."finished_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_kept" ON "builds" USING btree ("kept_on") WHERE "builds"."kept_on" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_quarantined" ON "builds" USING btree ("quarantined_at") WHERE "builds"."quarantined_at" IS NOT NULL;
--> statement-breakpoint
INSERT INTO "dispatch_state" DEFAULT VALUES;