//! Account information (docs/protocol.md §6.1).

use serde_json::{Value, json};

use crate::account::WebAccess;
use crate::http::Request;
use crate::route::{self, Service};
use crate::state::State;
use crate::switches::Partial;

/// What accountLogin and validate answer. `trusted` says whether the second factor stands behind the session.
pub fn account_info(state: &State, request: &Request, trusted: bool) -> Value {
    let account = &state.account;
    // Only what the device alone can unlock needs its cookies (docs/protocol.md §6.3).
    let needs_pcs = account.adp.is_some();
    let root = |service| route::root(request, service, state.service.partition);
    let service = |service| json!({"pcsRequired": needs_pcs, "url": root(service), "status": "active"});
    let webservices = if account.web_access == WebAccess::EmptyWebservices {
        json!({})
    } else {
        json!({
            "drivews": service(Service::Drivews),
            "docws": service(Service::Docws),
            "ckdatabasews": service(Service::Feed),
            "push": {"url": root(Service::Push), "status": "active"},
            "ckdeviceservice": {"url": root(Service::Push).replace("pushws", "ckdeviceservice"), "status": "active"},
        })
    };
    let mut info = json!({
        "dsInfo": {
            "dsid": account.dsid,
            "appleId": account.name,
            "primaryEmail": account.name,
            "aDsID": "000123-04-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "fullName": format!("{} {}", account.first_name, account.last_name),
            "firstName": account.first_name,
            "lastName": account.last_name,
            "locale": "en-us_US",
            "languageCode": "en-us",
            "countryCode": account.country,
            "hsaVersion": account.hsa_version,
            "hsaEnabled": account.hsa_version > 0,
            "locked": account.locked,
            "statusCode": 2,
            "isManagedAppleID": false,
            "isWebAccessAllowed": state.switches.partial != Partial::WebOff,
            "hasICloudQualifyingDevice": true,
        },
        "hsaTrustedBrowser": trusted,
        "hsaChallengeRequired": account.hsa_version > 0 && !trusted,
        "isExtendedLogin": true,
        "termsUpdateNeeded": account.terms_pending || state.switches.partial == Partial::Terms,
        "isRepairNeeded": state.switches.partial == Partial::RepairFlag,
        "pcsEnabled": true,
        "pcsServiceIdentitiesIncluded": false,
        "iCDPEnabled": account.adp.is_some(),
        "pcsDeleted": false,
        "version": 2,
        "webservices": webservices,
        "apps": {"iclouddrive": {}},
        "configBag": {
            "urls": {"accountLogin": format!("{}/accountLogin", root(Service::Setup))},
            "accountCreateEnabled": "true",
        },
        "requestInfo": {"country": "US", "timeZone": "PST", "region": "CA"},
    });
    if let Some(text) = &account.login_error {
        info["service_errors"] = json!([{"code": "-1", "title": "", "message": text}]);
        info["hasError"] = json!(true);
    }
    info
}
