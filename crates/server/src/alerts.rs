//! Tells a program at once what cannot wait: misissuance, a scan that silenced something (R20, R25). One POST an alert, in
//! order, signed like the questions of enrolment; what is not accepted with a 2xx status is sent again, so the receiver
//! may see one twice and knows it by its `Ward-Request`.

use std::sync::OnceLock;
use std::time::Duration;

use enroll::device::Call;
use fleet::FleetError;
use fleet::alert::Alert;
use zeroize::Zeroizing;

use crate::config::Alerts;
use crate::{Services, webhook};

/// Longest that a receiver may think about one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what waits, until the receiver does not take one.
pub(crate) async fn tell(services: &Services) -> Result<(), FleetError> {
    let Some(alerts) = &services.config.alerts else {
        return Ok(());
    };
    for alert in services.fleet.alerts_due().await? {
        let told = send(services, alerts, &alert).await;
        if let Err(why) = &told {
            metrics::counter!("ward_alert_failures_total").increment(1);
            tracing::error!(%why, alert = alert.id, "an alert was not accepted; trying again");
        }
        let failed = told.is_err();
        services
            .fleet
            .alert_told(&alert, told, services.now())
            .await?;
        if failed {
            break;
        }
    }
    Ok(())
}

async fn send(services: &Services, alerts: &Alerts, alert: &Alert) -> Result<(), String> {
    let id = format!("alert-{}", alert.id);
    post(services, alerts, alert.body.clone(), id).await
}

/// One signed POST to the program of `[alerts]`.
pub(crate) async fn post(
    services: &Services,
    alerts: &Alerts,
    body: String,
    request_id: String,
) -> Result<(), String> {
    static TRUST: webhook::Trust = OnceLock::new();
    let file = tokio::fs::read(&alerts.secret_file).await;
    let file = Zeroizing::new(file.map_err(|error| format!("secret file: {error}"))?);
    let secret = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let call = Call {
        url: alerts.url.clone(),
        body: body.into_bytes(),
        secret: Zeroizing::new(secret.trim_ascii().to_vec()),
        timeout: PATIENCE,
        request_id,
    };
    let sent = tokio::time::timeout(PATIENCE, webhook::send(&services.ca, &TRUST, &call)).await;
    match sent {
        Ok(Ok((200..300, _))) => Ok(()),
        Ok(Ok((status, _))) => Err(format!("status {status}")),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
