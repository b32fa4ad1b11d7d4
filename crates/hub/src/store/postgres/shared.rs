//! The hubs that share the database: heartbeats, the lease, claims, notifications.
//!
//! It has connections of its own, so that no query of history delays a renewal.

use std::net::IpAddr;
use std::time::Duration;

use api::HubRole;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::postgres::{PgListener, PgRow};
use sqlx::{PgConnection, PgExecutor, PgPool, Row as _};

use super::Postgres;
use super::connections::store_error;
use crate::store::query_error::{QueryError, READ, WRITTEN};
use crate::store::scale::{moment, signed, unsigned};
use crate::store::shared::SiteSecret;
use crate::store::{
    Claim, Claimed, Heartbeat, HubRecord, LeaseRecord, SharedStore, SiteState, StoreError,
};

/// Channel on which the database tells changes; the message names schema and table.
const CHANNEL: &str = "mains";

const SAVE_HUB: &str = "WITH before AS (SELECT seen FROM hubs WHERE id = $1), \
    saved AS (INSERT INTO hubs (id, url, version, role, seen, reaches, certificate, summary) \
    VALUES ($1, $2, $3, $4, now(), $5, $6, $7::text::jsonb) ON CONFLICT (id) DO UPDATE SET url = $2, version = $3, role = $4, \
    seen = now(), reaches = $5, certificate = $6, summary = $7::text::jsonb) \
    SELECT (extract(epoch FROM greatest(least(seen, '2199-01-01'), '1970-01-01')) * 1000)::bigint FROM before";

/// A row that somebody has deleted is made again.
const MAKE_LEASE: &str = "INSERT INTO lease (number, until, secret, oldest_schema) VALUES (0, now(), \
    replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 2) ON CONFLICT DO NOTHING";

const RENEW: &str =
    "UPDATE lease SET until = now() + interval '10 s' WHERE holder = $1 AND number = $2";

const LEASE: &str = "SELECT holder, number, until <= clock_timestamp() AS is_over, xmin::text AS version, secret, \
    (extract(epoch FROM greatest(least(until, '2199-01-01'), '1970-01-01')) * 1000)::bigint AS until_ms FROM lease";

/// The hubs of the last 30 days, without those whose address another one has taken over since: their state directory was lost. Addresses
/// of loopback are those of several computers.
const HUBS: &str = "SELECT id, url, version, role, reaches, certificate, summary::text AS summary, \
    (extract(epoch FROM seen) * 1000)::bigint AS seen_ms, \
    (greatest(extract(epoch FROM clock_timestamp() - seen), 0) * 1000)::bigint AS lag_ms \
    FROM hubs WHERE isfinite(seen) AND seen > now() - interval '30 days' AND NOT EXISTS (SELECT FROM hubs AS next \
    WHERE next.url = hubs.url AND next.id <> hubs.id AND next.seen > hubs.seen + interval '15 s' \
    AND hubs.url !~ '//(127[.]|\\[::1\\])') ORDER BY id";

/// Takes the lease with a number above all that were used, also where somebody has changed the row.
const TAKE: &str = "UPDATE lease SET holder = $1, until = now() + interval '10 s', number = 1 + greatest($2, \
    CASE WHEN number < 1000000000000 THEN number ELSE 0 END, \
    (SELECT coalesce(max(number), 0) FROM claims WHERE number < 1000000000000)) \
    WHERE xmin::text = $3 RETURNING number";

const RELEASE: &str =
    "UPDATE lease SET holder = NULL, until = now() WHERE holder = $1 AND number = $2";

/// Claims for the holder of the lease; a claim of an earlier holder is taken over where that is wanted, and one of its own whose
/// reply was lost.
const CLAIM: &str = "INSERT INTO claims (kind, id, due_ms, number, at) SELECT $1, $2, $3, $4, now() \
    FROM lease WHERE number = $4 AND until > clock_timestamp() \
    ON CONFLICT (kind, id, due_ms) DO UPDATE SET number = $4, at = now() WHERE $5 AND claims.number <= $4 \
    RETURNING xmax = 0";

const TELL: &str = "SELECT pg_notify($1, current_schema() || ' hubs')";

/// Claims are kept longer than any schedule catches up with; hubs for as long as they count.
const TIDY: [&str; 2] = [
    "DELETE FROM claims WHERE at < now() - interval '40 days'",
    "DELETE FROM hubs WHERE seen < now() - interval '30 days'",
];

impl Postgres {
    /// Removes claims and hubs that are too old to count.
    pub(super) async fn tidy_shared(&self) -> Result<(), StoreError> {
        self.write(|pool| async move {
            for sql in TIDY {
                sqlx::query(sql).execute(&pool).await?;
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl SharedStore for Postgres {
    async fn own_address(&self) -> Result<Option<IpAddr>, StoreError> {
        self.lease
            .run(READ, |pool| async move {
                let query = sqlx::query_scalar("SELECT host(inet_client_addr())");
                let address: Option<String> = query.fetch_one(&pool).await?;
                Ok(address.and_then(|address| address.parse().ok()))
            })
            .await
    }

    async fn hubs(&self) -> Result<Vec<HubRecord>, StoreError> {
        self.lease
            .run(READ, |pool| async move {
                let hubs = sqlx::query(HUBS).fetch_all(&pool).await?;
                Ok(hubs.iter().map(hub).collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn beat(&self, beat: &Heartbeat) -> Result<SiteState, StoreError> {
        self.lease
            .run(WRITTEN, |pool| async move {
                let mut connection = pool.acquire().await?;
                let mut is_renewed = false;
                // First of all, because time counts.
                if let Some(number) = beat.held {
                    let query = sqlx::query(RENEW).bind(&beat.id).bind(signed(number));
                    let renewed = query.execute(&mut *connection).await?;
                    is_renewed = renewed.rows_affected() > 0;
                }
                let seen_before = save_hub(&mut connection, beat).await?;
                if seen_before.is_none() {
                    // The active hub is not alone any longer, and should know it at once.
                    tell(&mut *connection).await?;
                }
                let mut row = sqlx::query(LEASE).fetch_optional(&mut *connection).await?;
                if row.is_none() {
                    sqlx::query(MAKE_LEASE).execute(&mut *connection).await?;
                    row = sqlx::query(LEASE).fetch_optional(&mut *connection).await?;
                }
                let row = row.ok_or(sqlx::Error::RowNotFound)?;
                let hubs = sqlx::query(HUBS).fetch_all(&mut *connection).await?;
                Ok(SiteState {
                    lease: lease(&row)?,
                    is_renewed,
                    seen_before: seen_before.and_then(moment),
                    hubs: hubs.iter().map(hub).collect::<Result<_, _>>()?,
                    secret: SiteSecret(row.try_get("secret")?),
                })
            })
            .await
    }

    async fn take(
        &self,
        hub: &str,
        seen: &LeaseRecord,
        above: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.lease
            .run(WRITTEN, |pool| async move {
                let query = sqlx::query_scalar(TAKE)
                    .bind(hub)
                    .bind(signed(above))
                    .bind(&seen.version);
                let number: Option<i64> = query.fetch_optional(&pool).await?;
                tell(&pool).await?;
                Ok(number.map(unsigned))
            })
            .await
    }

    async fn release(&self, hub: &str, number: u64) -> Result<(), StoreError> {
        self.lease
            .run(WRITTEN, |pool| async move {
                let query = sqlx::query(RELEASE).bind(hub).bind(signed(number));
                query.execute(&pool).await?;
                tell(&pool).await
            })
            .await
    }

    async fn claim(&self, number: u64, claim: &Claim) -> Result<Claimed, StoreError> {
        self.lease
            .run(WRITTEN, |pool| async move {
                let query = sqlx::query_scalar(CLAIM)
                    .bind(claim.kind.as_str())
                    .bind(claim.id.as_str())
                    .bind(claim.due.as_millisecond())
                    .bind(signed(number))
                    .bind(claim.resumes);
                let is_new: Option<bool> = query.fetch_optional(&pool).await?;
                Ok(match is_new {
                    Some(true) => Claimed::New,
                    Some(false) => Claimed::Resumed,
                    None => Claimed::Taken,
                })
            })
            .await
    }

    fn fence(&self, number: Option<u64>) -> Result<(), StoreError> {
        self.connections.set_fence(number)
    }

    async fn next_change(&self) -> Result<String, StoreError> {
        let named = |error: sqlx::Error| store_error(&self.config, READ, error.into());
        let mut place = self.listener.lock().await;
        loop {
            let listener = match &mut *place {
                Some(listener) => listener,
                None => place.insert(listen(self.lease.pool()).await.map_err(named)?),
            };
            let Some(notification) = listener.0.try_recv().await.map_err(named)? else {
                // The connection was lost, and with it perhaps a change.
                *place = None;
                return Ok("hubs".to_owned());
            };
            if let Some((schema, table)) = notification.payload().split_once(' ')
                && schema == listener.1
            {
                return Ok(table.to_owned());
            }
        }
    }
}

/// Returns a listener, and the schema whose changes it hears.
async fn listen(pool: PgPool) -> Result<(PgListener, String), sqlx::Error> {
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    let schema: Option<String> = sqlx::query_scalar("SELECT current_schema()")
        .fetch_one(&mut listener)
        .await?;
    Ok((listener, schema.ok_or(sqlx::Error::RowNotFound)?))
}

async fn tell<'c>(executor: impl PgExecutor<'c>) -> Result<(), QueryError> {
    sqlx::query(TELL).bind(CHANNEL).execute(executor).await?;
    Ok(())
}

async fn save_hub(
    connection: &mut PgConnection,
    beat: &Heartbeat,
) -> Result<Option<i64>, QueryError> {
    let query = sqlx::query_scalar(SAVE_HUB)
        .bind(&beat.id)
        .bind(&beat.url)
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(beat.role.as_str())
        .bind(beat.reaches)
        .bind(beat.certificate.as_deref())
        .bind(beat.summary.to_string());
    Ok(query.fetch_optional(connection).await?)
}

fn lease(row: &PgRow) -> Result<LeaseRecord, sqlx::Error> {
    Ok(LeaseRecord {
        holder: row.try_get("holder")?,
        number: unsigned(row.try_get("number")?),
        until: time(row, "until_ms")?,
        is_over: row.try_get("is_over")?,
        version: row.try_get("version")?,
    })
}

/// Reads a time; the statements keep it within the years that the calendar knows.
fn time(row: &PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(moment(row.try_get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn hub(row: &PgRow) -> Result<HubRecord, sqlx::Error> {
    let role: String = row.try_get("role")?;
    let summary: String = row.try_get("summary")?;
    Ok(HubRecord {
        id: row.try_get("id")?,
        url: row.try_get("url")?,
        version: row.try_get("version")?,
        role: role.parse().unwrap_or(HubRole::Standby),
        seen: time(row, "seen_ms")?,
        lag: Duration::from_millis(unsigned(row.try_get("lag_ms")?)),
        reaches: row.try_get("reaches")?,
        certificate: row.try_get("certificate")?,
        summary: serde_json::from_str(&summary).unwrap_or(Value::Null),
    })
}
