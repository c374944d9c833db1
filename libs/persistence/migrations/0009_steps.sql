CREATE TABLE "build_steps" (
	"build_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"number" integer NOT NULL,
	"stage" integer NOT NULL,
	"instruction" text NOT NULL,
	"first_line" integer NOT NULL,
	"last_line" integer NOT NULL,
	"log_line" integer NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"result" text,
	"exit_code" integer,
	CONSTRAINT "build_steps_build_id_attempt_number_pk" PRIMARY KEY("build_id","attempt","number")
);
--> statement-breakpoint
ALTER TABLE "build_phases" ADD COLUMN "bytes" bigint;--> statement-breakpoint
ALTER TABLE "build_steps" ADD CONSTRAINT "build_steps_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "builds_target" ON "builds" USING btree ("workspace_id","host","repository","created_at");--> statement-breakpoint
ALTER TABLE "build_steps" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
-- As the other parts of a build: seen with it, and written by whoever may not see another account's.
CREATE POLICY own_account ON "build_steps"
  USING ((SELECT current_setting('kiln.account', true)) = '*' OR EXISTS (SELECT 1 FROM builds it WHERE it.id = build_id))
  WITH CHECK ((SELECT current_setting('kiln.account', true)) = '*' OR NOT anothers_build(build_id));
