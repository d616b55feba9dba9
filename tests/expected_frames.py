"""What every real frame is, as a table: written after the observatories' words, not after ours.

A line is a file with what it is taken for: its kind, filter, exposure time in seconds and binning
(x by y); or ``other`` and words of the reason. Where the header lies, the table says what can be
known of it: the flats of uoft-atik-maxim6-spectra are typed as lights, one of its lights is typed
as a dark, and flattest.fit is typed as a bias. TYPERULES mend that; see `RULED`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file is taken for; of what is ``other`` only the reason is told."""

    kind: str
    filter: str = ""
    exptime: float = 0.0
    binning: tuple[int, int] = (0, 0)
    reason: str = ""


def _table(text: str) -> dict[str, Expected]:
    table, folder = {}, ""
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            folder = line
            continue
        name, _, what = line.strip().partition(" | ")
        kind, _, rest = what.partition(" ")
        if kind == "other":
            table[folder + name] = Expected(kind, reason=rest)
            continue
        filter_name, exptime, binning = rest.split()
        x, y = binning.split("x")
        table[folder + name] = Expected(kind, filter_name, float(exptime), (int(x), int(y)))
    return table


EXPECTED = _table(
    """
arcsat-m13-maxim6-acp/
  Bias_BIN1_20190503_073730.fits | bias none 0 1x1
  Bias_BIN1_20190503_100525.fits | bias none 0 1x1
  Bias_BIN1_20190503_100543.fits | bias none 0 1x1
  Dark_BIN1_20190503_104029.fits | dark none 80 1x1
  Dark_BIN1_20190503_104317.fits | dark none 80 1x1
  Dark_BIN1_20190503_104609.fits | dark none 80 1x1
  M13_sdss_g_20190503_090311.fits | object sdss_g 120 1x1
  M13_sdss_g_20190503_091520.fits | object sdss_g 120 1x1
  M13_sdss_i_20190503_084455.fits | object sdss_i 60 1x1
  M13_sdss_i_20190503_085536.fits | object sdss_i 120 1x1
  M13_sdss_i_20190503_090800.fits | object sdss_i 120 1x1
  M13_sdss_r_20190503_084324.fits | object sdss_r 60 1x1
  M13_sdss_r_20190503_085306.fits | object sdss_r 120 1x1
  M13_sdss_r_20190503_091741.fits | object sdss_r 120 1x1
  M13_sdss_z_20190503_084627.fits | object sdss_z 80 1x1
  M13_sdss_z_20190503_085808.fits | object sdss_z 160 1x1
  M13_sdss_z_20190503_091030.fits | object sdss_z 160 1x1
  M13_sdss_z_20190503_092233.fits | object sdss_z 160 1x1
  domeflat_sdss_g_001.fits | flat sdss_g 11.55 1x1
  domeflat_sdss_g_002.fits | flat sdss_g 11.93 1x1
  domeflat_sdss_g_003.fits | flat sdss_g 12.08 1x1
  domeflat_sdss_i_001.fits | flat sdss_i 13.29 1x1
  domeflat_sdss_i_002.fits | flat sdss_i 14.47 1x1
  domeflat_sdss_i_003.fits | flat sdss_i 14.57 1x1
  domeflat_sdss_r_001.fits | flat sdss_r 6.98 1x1
  domeflat_sdss_r_002.fits | flat sdss_r 7.13 1x1
  domeflat_sdss_r_003.fits | flat sdss_r 7.15 1x1
  domeflat_sdss_z_001.fits | flat sdss_z 38.01 1x1
  domeflat_sdss_z_002.fits | flat sdss_z 39.45 1x1
  domeflat_sdss_z_003.fits | flat sdss_z 39.64 1x1
ccdproc-tests/
  a8280271.fits | object 48 150.04 1x1
  flat-mef.fits | other no exposure time
  science-mef.fits | object B 30 1x1
  sip-wcs.fit | object B 120 1x1
eso-efosc2-lasilla/
  EFOSC.2022-01-26T19:02:38.210.fits | bias none 0 2x2
  EFOSC.2022-01-26T19:03:08.542.fits | bias none 0 2x2
  EFOSC.2022-01-26T19:03:39.513.fits | bias none 0 2x2
  EFOSC.2022-01-26T19:04:10.535.fits | bias none 0 2x2
  EFOSC.2022-01-26T19:04:41.537.fits | bias none 0 2x2
  EFOSC.2022-01-26T19:18:58.464.fits | other not imaging: ESO DPR TECH is 'SPECTRUM'
  EFOSC.2022-01-26T19:37:39.560.fits | other an arc lamp exposure: ESO DPR TYPE is 'WAVE'
  EFOSC.2022-01-27T02:31:32.701.fits | other not imaging: ESO DPR TECH is 'SPECTRUM'
  EFOSC.2022-01-28T00:08:16.282.fits | flat g#782 3.3005 2x2
  EFOSC.2022-01-28T00:08:54.737.fits | flat g#782 3.8006 2x2
  EFOSC.2022-01-28T00:09:33.792.fits | flat g#782 4.4005 2x2
  EFOSC.2022-01-28T04:54:24.341.fits | object g#782 180.0057 2x2
  EFOSC.2022-01-28T05:05:25.843.fits | object g#782 180.0092 2x2
  EFOSC.2022-01-28T05:09:05.986.fits | object g#782 180.0065 2x2
  EFOSC.2022-01-28T08:37:47.742.fits | object g#782 119.9994 2x2
  EFOSC.2022-01-28T08:40:27.113.fits | object g#782 120.0006 2x2
  EFOSC.2022-01-29T01:12:03.548.fits | other not imaging: ESO DPR TECH is 'SPECTRUM'
header-variants-feder-maxim/
  aspen_trimmed.fit | flat R 1 1x1
  biastest1.fit | bias none 0 1x1
  biastest2.fit | bias none 0 1x1
  biastest3.fit | bias none 0 1x1
  biastest4.fit | bias none 0 1x1
  biastest5.fit | bias none 0 1x1
  celestron_nightscape_10100_astro_fx_v106.fit | object none 60 1x1
  darktest1.fit | dark none 30 1x1
  darktest2.fit | dark none 30 1x1
  darktest3.fit | dark none 30 1x1
  darktest4.fit | dark none 30 1x1
  darktest5.fit | dark none 30 1x1
  flattest.fit | bias none 0 1x1
  maximdl_5_21_header.fit | other already calibrated: HISTORY
  maximdl_5_23_header.fit | object B 90 1x1
  maximdl_6_16_header.fit | object B 90 1x1
  maximdl_6_18_header.fit | object r 90 1x1
  neon-on-dome-10-sec-high-res-though-scope.fit | other already calibrated: HISTORY
  uint16.fit | object R 90 1x1
  uint16_missing_filter.fit | object none 90 1x1
  uint16_no_pointing.fit | object R 90 1x1
  uint16_not_m101.fit | object R 90 1x1
itelescope-t05-st10-darks/
  t5-p1-calibration-001-120_B2.fit | dark none 120 2x2
  t5-p1-calibration-001-60_B2.fit | dark none 60 2x2
  t5-p1-calibration-002-300_B2.fit | dark none 300 2x2
  t5-p1-calibration-003-120_B2.fit | dark none 120 2x2
  t5-p1-calibration-003-60_B2.fit | dark none 60 2x2
  t5-p1-calibration-004-300_B2.fit | dark none 300 2x2
keck-lris-float-bzero/
  569_0000.fits | dark none 10 1x1
  569_0001.fits | dark none 10 1x1
  570_0000.fits | dark none 10 1x1
  570_0001.fits | dark none 10 1x1
  571_0000.fits | dark none 10 1x1
  571_0001.fits | dark none 10 1x1
lco-floyds-fz/
  coj2m002-en12-20200321-0021-e00.fits.fz | other a spectrum: OBSTYPE is 'SPECTRUM'
  coj2m002-en12-20200321-0022-a00.fits.fz | other an arc lamp exposure: OBSTYPE is 'ARC'
  coj2m002-en12-20200321-0023-w00.fits.fz | other a lamp exposure: OBSTYPE is 'LAMPFLAT'
  coj2m002-en12-20210126-0003-e00.fits.fz | other a spectrum: OBSTYPE is 'SPECTRUM'
  coj2m002-en12-20210126-0004-w00.fits.fz | other a lamp exposure: OBSTYPE is 'LAMPFLAT'
  coj2m002-en12-20210126-0005-a00.fits.fz | other an arc lamp exposure: OBSTYPE is 'ARC'
odd-files/appledouble/
  ._42_sec.FIT | other not FITS
  ._48_sec.FIT | other not FITS
  ._60_sec.FIT | other not FITS
  ._bias2.FIT | other not FITS
odd-files/astropy-io-fits/
  arange.fits | other 3-D
  ascii.fits | other no image
  ascii_i4-i20.fits | other no image
  blank.fits | other no frame type
  btable.fits | other no image
  chandra_time.fits | other no image
  checksum.fits | other no frame type
  checksum_false.fits | other no frame type
  comp.fits | other no frame type
  compressed_float_bzero.fits | other 1-D
  compressed_image.fits | other no frame type
  compressed_with_nan.fits | other no frame type
  double_ext.fits | other no frame type
  fixed-1890.fits | other no frame type
  group.fits | other no image
  group_invalid.fits | other no image
  history_header.fits | other no image
  logical_null.fits | other no image
  lzw.fits.Z | other compressed with compress
  m13.fits | other no frame type
  m13_gzip.fits | other no frame type
  m13_hcomp.fits | other no frame type
  m13_plio.fits | other no frame type
  m13_rice.fits | other no frame type
  memtest.fits | other no image
  o4sp040b0_raw.fits | other a spectrum: OBSTYPE is 'SPECTROSCOPIC'
  random_groups.fits | other no image
  scale.fits | other no frame type
  stddata.fits | other no image
  table.fits | other no image
  tb.fits | other no image
  tdim.fits | other no image
  test0.fits | other IMAGETYP is 'EXT', which is neither
  test1.fits | other IMAGETYP is 'EXT', which is neither
  theap-gap.fits | other no image
  variable_length_table.fits | other no image
  verify.fits | other no image
  vla_logical_all_zero.fits | other no image
  vla_logical_null.fits | other no image
  vla_logical_pre_fix.fits | other no image
  zerowidth.fits | other no image
odd-files/fitsio/
  test_gzip_compressed_image.fits.fz | other no frame type
  test_rice_dither2_seed42.fits | other no frame type
  test_rice_dither2_seed42.fits.fz | other no frame type
odd-files/nom-tam-fits/
  ad43021000gis25670_lo.totsky.gz | other no frame type
  bt12.fits | other no image
  bt12.fits.fz | other no image
  checksum.fits | other no frame type
  issue49test.fits | other no image
  m13.fits | other no frame type
  m13_gzip.fits | other no frame type
  m13_hcomp.fits | other no frame type
  m13_plio.fits | other no frame type
  m13_rice.fits | other no frame type
  m13real.fits | other no frame type
  m13real_rice.fits | other no frame type
  rp600245n00_im1.fits.Z | other compressed with compress
  test.fits | other no frame type
  test.fits.Z | other compressed with compress
  test.fits.bz2 | other no frame type
  test.fits.gz | other no frame type
  testBinaryTable.fits.fz | other no image
  test_dup.fits | other no frame type
  test_i10.fits | other no image
odd-files/not-fits/
  Near-Infrared.fits | other no exposure time
  import_astropy.io.fits | other not FITS
panoptes-dslr/
  noheader.fits | other no frame type
  pole.fits | other no frame type
  rotation.fits | other no frame type
  solved.fits.fz | other no frame type
  tiny.fits | other no frame type
  unsolved.fits | other no frame type
uoft-atik-maxim6-spectra/
  Aldebaran-10s.fit | object none 10 2x2
  Bias-0001.fit | bias none 0 1x1
  Bias-0002.fit | bias none 0 1x1
  Bias-0003.fit | bias none 0 1x1
  Capella-10s.fit | object none 10 2x2
  Dark-0001_10s.fit | dark none 10 2x2
  Dark-0001_1s.fit | dark none 1 2x2
  Dark-0001_8s.fit | dark none 8 2x2
  Dark-0002_10s.fit | dark none 10 2x2
  Dark-0002_1s.fit | dark none 1 2x2
  Dark-0002_8s.fit | dark none 8 2x2
  Dark-0003_10s.fit | dark none 10 2x2
  Dark-0003_1s.fit | dark none 1 2x2
  Dark-0003_8s.fit | dark none 8 2x2
  Elnath-betaTau-10s.fit | object none 10 2x2
  Flat-1s_01.fit | object none 1 2x2
  Flat-1s_02.fit | object none 1 2x2
  Flat-1s_03.fit | object none 1 2x2
  Mahasim-THeta-Aur-10s.fit | object none 10 2x2
  Moon-1s.fit | object none 1 2x2
  MoonGuideImage2.fit | object none 0.01 1x1
  Neon-8s.fit | object none 8 2x2
uoft-atik-maxim6-spectra/ExtraSpectra/
  Dark-0001_300s.fit | dark none 300 2x2
  Dark-0002_300s.fit | dark none 300 2x2
  DarkSky-300s.fit | object none 300 2x2
  Jupiter-1s.fit | object none 1 2x2
  JupiterandIo.fit | dark none 10 2x2
uw-st7-ccdops-notype/Bergeson,Andi_CCD/data/
  bias1.FIT | other TYPERULES bias:*bias*
  bias2.FIT | other TYPERULES bias:*bias*
  bias3.FIT | other TYPERULES bias:*bias*
  flat1.125.FIT | other TYPERULES flat:*flat*
  flat126.FIT | other TYPERULES flat:*flat*
  flat18.FIT | other TYPERULES flat:*flat*
  flat29.5(2).FIT | other TYPERULES flat:*flat*
  flat4.5.FIT | other TYPERULES flat:*flat*
  flat72.FIT | other TYPERULES flat:*flat*
uw-st7-ccdops-notype/Langford_Zach_CCD/FITS/
  Pencil0.16.FLAT.FIT | other TYPERULES flat:*flat*
  Pencil105.FLAT.FIT | other TYPERULES flat:*flat*
  Pencil35.FLAT.FIT | other TYPERULES flat:*flat*
  Pencil65.FLAT.FIT | other TYPERULES flat:*flat*
  Pencil95.FLAT.FIT | other TYPERULES flat:*flat*
  slitview.00000352.BIAS.FIT | other TYPERULES bias:*bias*
voyager-asi-lights/
  Target_LIGHT_7450_3s_BIN1_-15C_001_20190513_214612_603_W.FIT | object R 3 1x1
  Target_LIGHT_7650_3s_BIN1_-15C_001_20190513_214110_650_W.FIT | object R 3 1x1
  Target_LIGHT_7975_0s_BIN1_-15C_001_20190513_213154_311_W.FIT | object R 0.3 1x1
"""
)

# Headers alone, as text.
EXPECTED_TEXTS = _table(
    """
header-text/
  photonfinder-header_app.hdr | other a stack: INTEGRAT
  photonfinder-header_app2.hdr | other a master of another program: CALFRAME
  photonfinder-header_apt.hdr | object none 240 1x1
  photonfinder-header_dwarflab.hdr | other no frame type
  photonfinder-header_maximdl.hdr | other already calibrated: CALSTAT is 'BDF'
  photonfinder-header_nina.hdr | object none 30 1x1
  photonfinder-header_pixinsight.hdr | other a stack: HISTORY
  photonfinder-header_seestar.hdr | other a stack: STACKCNT is '187'
  photonfinder-header_sgp_fixed_wcs.hdr | object HaOIII 30 1x1
  photonfinder-header_sharpcap.hdr | other no frame type
  photonfinder-sgp_header.hdr | object HaOIII 30 1x1
  photonfinder-wcs_header_m106.hdr | other no frame type
"""
)

# With the rules of one line of tape.par, the mistyped and the untyped are what their names say.
RULES = "flat:*flat*,bias:*bias*,object:*jupiter*"
RULED = _table(
    """
uoft-atik-maxim6-spectra/
  Flat-1s_01.fit | flat none 1 2x2
  Flat-1s_02.fit | flat none 1 2x2
  Flat-1s_03.fit | flat none 1 2x2
  Neon-8s.fit | object none 8 2x2
uoft-atik-maxim6-spectra/ExtraSpectra/
  JupiterandIo.fit | object none 10 2x2
header-variants-feder-maxim/
  flattest.fit | flat none 0 1x1
uw-st7-ccdops-notype/Bergeson,Andi_CCD/data/
  bias1.FIT | bias none 0 1x1
  flat29.5(2).FIT | flat none 29.5 1x1
uw-st7-ccdops-notype/Langford_Zach_CCD/FITS/
  Pencil65.FLAT.FIT | flat none 65 1x1
  slitview.00000352.BIAS.FIT | bias none 0 1x1
"""
)
