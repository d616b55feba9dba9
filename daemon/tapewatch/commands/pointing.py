"""Where the simulated telescope points: height, azimuth, airmass and heliocentric time."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

SECONDS_PER_DAY = 86400.0
JULIAN_DATE_1970 = 2440587.5
JULIAN_DATE_2000 = 2451545.0
LIGHT_TIME = 499.004784  # seconds for one astronomical unit
OBLIQUITY = math.radians(23.439)


@dataclass(frozen=True, slots=True)
class Place:
    """A direction in the sky or a site on Earth.

    Parameters
    ----------
    longitude : float
        Right ascension, or longitude east, degrees.
    latitude : float
        Declination, or latitude north, degrees.
    """

    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True)
class Pointing:
    """How a target stands at one moment.

    Parameters
    ----------
    altitude, azimuth : float
        Degrees; azimuth from north through east. No refraction.
    airmass : float
        In units of the zenith's.
    jd, hjd : float
        Julian date, geocentric and heliocentric, days, UTC.
    """

    altitude: float
    azimuth: float
    airmass: float
    jd: float
    hjd: float


def point(target: Place, site: Place, date_obs: str) -> Pointing:
    """Return how a target stands at the start of an exposure.

    Good to half a degree and a few seconds of light time: enough for header cards.

    Parameters
    ----------
    target, site : Place
        What is looked at (J2000, no precession) and from where.
    date_obs : str
        ISO 8601, UTC.

    Returns
    -------
    Pointing
        Sidereal time and Sun after the Astronomical Almanac (sections B and C, low precision),
        airmass after Young 1994 (Applied Optics 33, 1108), which holds down to the horizon; a
        target below it gets the horizon's.
    """
    since_1970 = datetime.fromisoformat(date_obs).replace(tzinfo=UTC).timestamp()
    jd = since_1970 / SECONDS_PER_DAY + JULIAN_DATE_1970
    days = jd - JULIAN_DATE_2000
    sidereal = 280.46062 + 360.98564737 * days + site.longitude
    hour_angle = math.radians(sidereal - target.longitude)
    latitude, declination = math.radians(site.latitude), math.radians(target.latitude)
    up = math.sin(latitude) * math.sin(declination)
    up += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    north = math.cos(latitude) * math.sin(declination)
    north -= math.sin(latitude) * math.cos(declination) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    return Pointing(
        altitude=math.degrees(math.asin(max(-1.0, min(1.0, up)))),
        azimuth=math.degrees(math.atan2(east, north)) % 360.0,
        airmass=_airmass(max(0.0, up)),
        jd=jd,
        hjd=jd + _light_time(target, days) / SECONDS_PER_DAY,
    )


def _airmass(cosine: float) -> float:
    """Return the airmass for the cosine of the true zenith distance (Young 1994)."""
    above = (1.002432 * cosine + 0.148386) * cosine + 0.0096467
    below = ((cosine + 0.149864) * cosine + 0.0102963) * cosine + 0.000303978
    return above / below


def _light_time(target: Place, days: float) -> float:
    """Return how much later the Sun would see the target than we do, seconds."""
    anomaly = math.radians(357.528 + 0.9856003 * days)
    mean = 280.460 + 0.9856474 * days
    sun = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    distance = 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)
    ascension, declination = math.radians(target.longitude), math.radians(target.latitude)
    towards = math.cos(sun) * math.cos(declination) * math.cos(ascension)
    towards += math.sin(sun) * (
        math.sin(OBLIQUITY) * math.sin(declination)
        + math.cos(OBLIQUITY) * math.cos(declination) * math.sin(ascension)
    )
    return -LIGHT_TIME * distance * towards
